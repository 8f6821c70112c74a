import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import type { Incoming, Message } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { MessageReader, type MessageReaderSettings } from '../../lib/framing/messageReader';
import { thrownBy } from '../support/thrown';
import { hex, wire } from '../support/vectors';

const deflate = 'permessage-deflate';

function readerOf(settings: Partial<MessageReaderSettings> = {}): MessageReader {
  return new MessageReader({
    role: 'client',
    version: '13',
    maxMessageSize: 1_000_000,
    extensions: '',
    parts: false,
    ...settings,
  });
}

/** Feeds bytes and returns all items that are read from them at once. */
function read(reader: MessageReader, bytes: Buffer): (Incoming | Promise<Message>)[] {
  reader.feed(bytes);
  const items: (Incoming | Promise<Message>)[] = [];
  for (let item = reader.next(); item !== undefined; item = reader.next()) items.push(item);
  return items;
}

/** A server's frame with a compressed payload. */
function compressedFrame(data: string | Buffer, { first = 0xc1 } = {}): Buffer {
  const payload = deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4);
  const header = Buffer.from(payload.length < 126 ? [first, payload.length] : [first, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (payload.length >= 0x10000) header.writeUInt32BE(payload.length, 6);
  else if (payload.length >= 126) {
    return Buffer.concat([Buffer.of(first, 126, payload.length >> 8, payload.length & 0xff), payload]);
  }
  return Buffer.concat([header, payload]);
}

/** The payloads of message parts, joined. */
function joined(items: readonly unknown[]): string {
  return Buffer.concat(items.map((item) => (item as { payload: Buffer }).payload)).toString();
}

describe('MessageReader', () => {
  it('next(): returns messages and control frames one by one, then undefined', () => {
    const reader = readerOf({ role: 'server' });
    const { bytes } = wire(
      `
        81 02 | 6869
        82 01 | 00
        89 01 | 31
        01 01 | 61
        80 01 | 62`,
      'client',
    );
    expect(read(reader, bytes)).to.deep.equal(['hi', hex('00'), { opcode: 'ping', payload: Buffer.from('1') }, 'ab']);
    expect(reader.next()).to.equal(undefined);
  });

  it('next(): decodes no more than one item at each call', () => {
    const reader = readerOf();
    reader.feed(hex('81 01 61 f1 00'));
    expect(reader.next()).to.equal('a');
    expect(thrownBy(() => reader.next()).code).to.equal('WS_ERR_RESERVED_BITS');
  });

  it('next(): decodes a frame that is divided between two chunks', () => {
    const reader = readerOf();
    expect(read(reader, hex('81 02 68'))).to.deep.equal([]);
    expect(read(reader, hex('69 81 01'))).to.deep.equal(['hi']);
    expect(read(reader, hex('61'))).to.deep.equal(['a']);
  });

  it('next(): returns parts of a message if its settings ask for them', () => {
    const reader = readerOf({ parts: true });
    const part = { opcode: 'part', text: true, compressed: false };
    expect(read(reader, hex('01 01 61'))).to.deep.equal([
      { ...part, first: true, last: false, payload: Buffer.from('a') },
    ]);
    expect(read(reader, hex('80 01 62'))).to.deep.equal([
      { ...part, first: false, last: true, payload: Buffer.from('b') },
    ]);
  });

  it('next(): decompresses a small message at once', () => {
    const reader = readerOf({ extensions: deflate });
    expect(read(reader, compressedFrame('Hello'))).to.deep.equal(['Hello']);
    expect(reader.decompression).to.deep.equal({ before: compressedFrame('Hello').length - 2, after: 5 });
    reader.release();
  });

  it('next(): returns a promise for a large compressed message, and goes on after it', async () => {
    const reader = readerOf({ extensions: deflate });
    const data = randomBytes(100_000);
    reader.feed(Buffer.concat([compressedFrame(data, { first: 0xc2 }), hex('81 01 61')]));
    const message = reader.next();
    expect(message).to.be.an.instanceOf(Promise);
    expect(data.equals((await message) as Buffer)).to.equal(true);
    expect(reader.next()).to.equal('a');
    expect(reader.next()).to.equal(undefined);
    reader.release();
  });

  it('next(): returns a promise that rejects with a WebSocketError for a large corrupt message', async () => {
    const reader = readerOf({ extensions: deflate });
    reader.feed(Buffer.concat([hex('c2 7f 0000000000010000'), Buffer.alloc(0x10000, 0xff)]));
    const error = await (reader.next() as Promise<Message>).catch((reason) => reason);
    expect(error).to.be.an.instanceOf(WebSocketError);
    expect(error.code).to.equal('WS_ERR_INVALID_COMPRESSION');
    reader.release();
  });

  it('next(): returns pieces of a compressed message that is read in parts, from first to last', () => {
    const reader = readerOf({ extensions: deflate, parts: true });
    const parts = read(reader, compressedFrame('Hello'));
    expect(parts.map((part) => (part as { first: boolean }).first)).to.deep.equal([true, false, false]);
    expect(parts.map((part) => (part as { last: boolean }).last)).to.deep.equal([false, false, true]);
    expect(joined(parts)).to.equal('Hello');
    reader.release();
  });

  describe('finish():', () => {
    for (const [where, bytes] of [
      ['a header', '81'],
      ['a frame', '81 02 68'],
      ['a fragmented message', '01 02 6869'],
      ['a control frame', '89 02 31'],
      ['a fragmented message in which a Close frame has come', '01 02 6869 88 00'],
    ] as const) {
      it(`throws WS_ERR_TRUNCATED inside ${where}`, () => {
        const reader = readerOf();
        read(reader, hex(bytes));
        expect(thrownBy(() => reader.finish()).code).to.equal('WS_ERR_TRUNCATED');
      });
    }

    for (const [where, bytes] of [
      ['before the first byte', ''],
      ['behind a message', '81 01 61'],
      ['behind a Close frame', '88 00'],
      ['behind a Close frame and other bytes', '88 00 81'],
    ] as const) {
      it(`accepts an end ${where}`, () => {
        const reader = readerOf();
        read(reader, hex(bytes));
        reader.finish();
      });
    }
  });

  describe('idle:', () => {
    it('is true between two messages, and another connection may go on with the reader', () => {
      const reader = readerOf();
      expect(reader.idle).to.equal(true);
      expect(read(reader, hex('81 01 61'))).to.deep.equal(['a']);
      expect(reader.idle).to.equal(true);
      expect(read(reader, hex('82 01 62'))).to.deep.equal([Buffer.from('b')]);
    });

    for (const [what, bytes] of [
      ['a header', '81'],
      ['part of a frame', '81 02 68'],
      ['a fragmented message', '01 02 6869'],
      ['part of a control frame', '89 02 31'],
      ['a Close frame', '88 00'],
    ] as const) {
      it(`is false after ${what}`, () => {
        const reader = readerOf();
        read(reader, hex(bytes));
        expect(reader.idle).to.equal(false);
      });
    }

    it('is false while the chunk is not used up', () => {
      const reader = readerOf();
      reader.feed(hex('81 01 61 81 01 62'));
      reader.next();
      expect(reader.idle).to.equal(false);
    });

    it('is false after an error', () => {
      for (const bytes of ['f1 00', '81 01 ff', '81 81 00000000 61', '8b 00']) {
        const reader = readerOf();
        expect(() => read(reader, hex(bytes))).to.throw(WebSocketError);
        expect(reader.idle, bytes).to.equal(false);
      }
    });

    it('is false with compression: the next message may refer to earlier ones', () => {
      expect(readerOf({ extensions: deflate }).idle).to.equal(false);
    });
  });

  describe('inMessage:', () => {
    // Each step is one chunk, with what inMessage must be behind it.
    const hybi03 = { version: 'draft03' } as const;
    const histories: readonly (readonly [
      what: string,
      settings: Partial<MessageReaderSettings>,
      steps: readonly (readonly [bytes: string, inMessage: boolean])[],
    ])[] = [
      ['a whole message', {}, [['81 01 61', false]]],
      [
        'part of a frame',
        {},
        [
          ['81 02 61', true],
          ['62', false],
        ],
      ],
      [
        'a header without its payload',
        {},
        [
          ['81 02', true],
          ['6162', false],
        ],
      ],
      [
        'part of a control frame',
        {},
        [
          ['89 02 61', false],
          ['62', false],
        ],
      ],
      [
        'a Close frame between messages',
        {},
        [
          ['81 01 61', false],
          ['88 00', false],
        ],
      ],
      [
        'a Close frame inside a message',
        {},
        [
          ['01 01 61', true],
          ['88 02 03e8', true],
        ],
      ],
      ['a Close frame inside a message, in one chunk', {}, [['01 01 61 88 00', true]]],
      [
        'a Close frame behind an empty first fragment',
        {},
        [
          ['01 00', true],
          ['88 00', true],
        ],
      ],
      [
        'a Close frame inside a compressed message',
        { extensions: deflate },
        [
          ['41 01 f2', true],
          ['88 00', true],
        ],
      ],
      [
        'part of a frame of hybi-03',
        hybi03,
        [
          ['04 02 61', true],
          ['62', false],
        ],
      ],
      [
        'a Close frame inside a message of hybi-03',
        hybi03,
        [
          ['84 01 61', true],
          ['01 00', true],
        ],
      ],
      [
        'a Close frame between messages of hybi-03',
        hybi03,
        [
          ['04 01 61', false],
          ['01 00', false],
        ],
      ],
      [
        'a text of hixie-76',
        { version: 'draft76' },
        [
          ['00 61', true],
          ['62 ff', false],
          ['ff 00', false],
        ],
      ],
    ];
    for (const [what, settings, steps] of histories) {
      for (const parts of [false, true]) {
        it(`is right behind ${what}, ${parts ? 'in parts' : 'as a whole'}`, () => {
          const reader = readerOf({ ...settings, parts });
          for (const [bytes, inMessage] of steps) {
            read(reader, hex(bytes));
            expect(reader.inMessage, bytes).to.equal(inMessage);
          }
          reader.release();
        });
      }
    }

    it('is true until the last piece of a compressed message has been returned', () => {
      const reader = readerOf({ extensions: deflate, parts: true });
      reader.feed(compressedFrame('Hello'));
      for (let last = false; !last; ) {
        const part = reader.next() as { last: boolean };
        last = part.last;
        expect(reader.inMessage).to.equal(!last);
      }
      reader.release();
    });
  });
});
