import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Outgoing } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { SyncDeflater } from '../../lib/extensions/zlibEngines';
import { MessageReader } from '../../lib/framing/messageReader';
import { MessageWriter, type MessageWriterSettings } from '../../lib/framing/messageWriter';
import { PreparedMessage } from '../../lib/webSocketHandler';
import { thrownBy } from '../support/thrown';
import { hex } from '../support/vectors';

const deflate = 'permessage-deflate';
/** So large that it is compressed on another thread. */
const large = 'a long message, '.repeat(10_000);

function writerOf(settings: Partial<MessageWriterSettings> = {}): MessageWriter {
  return new MessageWriter({ role: 'server', version: '13', extensions: '', ...settings });
}

function taken(writer: MessageWriter): Buffer {
  return Buffer.concat(writer.take());
}

/** Settles when the writer is not busy any more; rejects if an item failed. */
function ready(writer: MessageWriter): Promise<void> {
  return new Promise((resolve, reject) => {
    writer.onFailure = reject;
    writer.onReady = resolve;
  });
}

describe('MessageWriter', () => {
  it('write(): encodes messages and frames, which take() returns in order', () => {
    const writer = writerOf();
    const items: Outgoing[] = [
      'hi',
      hex('00ff'),
      { opcode: 'ping', payload: hex('31') },
      { opcode: 'text', fin: false, payload: 'a' },
      { opcode: 'continuation', payload: 'b' },
      { opcode: 'close', code: 1000, reason: '' },
    ];
    for (const item of items) writer.write(item);
    const bytes = hex('81 02 6869 82 02 00ff 89 01 31 01 01 61 80 01 62 88 02 03e8');
    expect([writer.length, writer.pieces]).to.deep.equal([bytes.length, 1]);
    expect(taken(writer)).to.deep.equal(bytes);
    expect([writer.length, writer.pieces]).to.deep.equal([0, 0]);
  });

  it('takeOnly(): returns the bytes if they are in one piece', () => {
    const writer = writerOf();
    expect(writer.takeOnly()).to.equal(undefined);
    writer.write('hi');
    expect(writer.takeOnly()).to.deep.equal(hex('81 02 6869'));
    writer.write(Buffer.alloc(100_000));
    expect(writer.pieces).to.equal(2);
    expect(writer.takeOnly()).to.equal(undefined);
    expect(taken(writer)).to.have.lengthOf(100_010);
  });

  it('write(): throws for an item that no frame can have, and keeps the earlier items', () => {
    const writer = writerOf();
    writer.write('a');
    for (const bad of [42, null, {}, { opcode: 'ping', payload: Buffer.alloc(126) }]) {
      expect(thrownBy(() => writer.write(bad as Outgoing)).code).to.equal('WS_ERR_INVALID_ARGUMENT');
    }
    writer.write('b');
    expect(taken(writer)).to.deep.equal(hex('81 01 61 81 01 62'));
  });

  it('write(): sends a prepared message in the same bytes as every other writer of its variant', () => {
    const prepared = new PreparedMessage('x'.repeat(1000));
    const frames = [writerOf(), writerOf()].map((writer) => {
      writer.write(prepared);
      return writer.takeOnly() as Uint8Array;
    });
    expect(frames[0]).to.equal(frames[1]);
  });

  describe('busy:', () => {
    it('is true while a large message is compressed; later items wait in order, and onReady is called at the end', async () => {
      const writer = writerOf({ extensions: deflate });
      writer.write('first');
      const before = writer.length;
      writer.write(large);
      expect(writer.busy).to.equal(true);
      writer.write('second');
      writer.write({ opcode: 'close', code: 1000, reason: '' });
      expect(writer.length).to.equal(before);
      expect(writer.waitingBytes).to.equal(large.length + 'second'.length);
      await ready(writer);
      expect([writer.busy, writer.waitingBytes]).to.deep.equal([false, 0]);
      const bytes = taken(writer);
      expect(bytes.subarray(0, before)).to.deep.equal(hex('81 05 6669727374'));
      expect(bytes[before]).to.equal(0xc1);
      expect(bytes.subarray(-12)).to.deep.equal(hex('81 06 7365636f6e64 88 02 03e8'));
      expect(writer.compression?.before).to.equal(large.length);
      writer.release();
    });

    it('does not delay pings and pongs (RFC 6455 §5.5)', async () => {
      const writer = writerOf({ extensions: deflate });
      writer.write(large);
      writer.write({ opcode: 'ping', payload: hex('31') });
      writer.write('waits');
      writer.write({ opcode: 'pong', payload: hex('32') });
      expect(taken(writer)).to.deep.equal(hex('89 01 31 8a 01 32'));
      expect(() => writer.write({ opcode: 'ping', payload: Buffer.alloc(126) })).to.throw(WebSocketError);
      await ready(writer);
      expect(taken(writer).subarray(-7)).to.deep.equal(hex('81 05 7761697473'));
      writer.release();
    });

    it('is true again for a second large message after the first, and onReady is called once, at the end', async () => {
      const writer = writerOf({ extensions: deflate });
      let calls = 0;
      for (const message of [large, 'a', large, 'b']) writer.write(message);
      await new Promise<void>((resolve) => {
        writer.onReady = () => {
          calls++;
          resolve();
        };
      });
      const bytes = taken(writer);
      expect([bytes[0], bytes.subarray(-3)]).to.deep.equal([0xc1, hex('81 01 62')]);
      expect(bytes.includes(hex('81 01 61 c1'))).to.equal(true);
      expect(calls).to.equal(1);
      writer.release();
    });

    it('is true while a prepared message is compressed', async () => {
      const writer = writerOf({ extensions: deflate });
      writer.write(new PreparedMessage(large));
      writer.write('a');
      expect([writer.busy, writer.waitingBytes]).to.deep.equal([true, large.length + 1]);
      await ready(writer);
      expect(taken(writer).subarray(-3)).to.deep.equal(hex('81 01 61'));
      writer.release();
    });
  });

  it('onFailure: is called for an item that had to wait and cannot be encoded; all others are encoded', async () => {
    const writer = writerOf({ extensions: deflate });
    const failures: string[] = [];
    writer.write(large);
    writer.write('before');
    writer.write(42 as unknown as Outgoing);
    writer.write('behind');
    await new Promise<void>((resolve) => {
      writer.onFailure = (error) => failures.push(error.code);
      writer.onReady = resolve;
    });
    expect(failures).to.deep.equal(['WS_ERR_INVALID_ARGUMENT']);
    expect(taken(writer).subarray(-16)).to.deep.equal(hex('81 06 6265666f7265 81 06 626568696e64'));
    expect(writer.waitingBytes).to.equal(0);
    writer.release();
  });

  it('onFailure: is called for a prepared message that cannot be encoded once it is compressed', async () => {
    const writer = writerOf({ extensions: deflate });
    const failure = new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'for the spec');
    writer.write({
      opcode: 'prepared',
      message: { opcode: 'text', payload: 'x' },
      once: <T>() => Promise.reject(failure) as T,
    });
    expect(writer.busy).to.equal(true);
    const error = await new Promise((resolve) => {
      writer.onFailure = resolve;
    });
    expect(error).to.equal(failure);
    expect([writer.busy, writer.length]).to.deep.equal([false, 0]);
    writer.release();
  });

  describe('idle:', () => {
    it('is true when all bytes were taken', () => {
      const writer = writerOf();
      expect(writer.idle).to.equal(true);
      writer.write('a');
      expect(writer.idle).to.equal(false);
      writer.take();
      expect(writer.idle).to.equal(true);
    });

    it('is false with compression: the next message may refer to earlier ones', () => {
      expect(writerOf({ extensions: deflate }).idle).to.equal(false);
    });
  });

  it('release(): can be followed by more messages', () => {
    const writer = writerOf({ extensions: deflate });
    const message = randomBytes(300).toString('hex');
    for (let i = 0; i < 3; i++) {
      writer.write(message);
      writer.release();
    }
    expect(writer.compression?.before).to.equal(1800);
  });

  describe('If zlib fails', () => {
    const messages = ['one', 'two', 'three'].map((word) => `${word}: ${'the same words again and again, '.repeat(10)}`);

    /** What a peer reads after the engine has failed at the second message. It has taken the message into its window before. */
    function readAfterFailure(wrap: (message: string) => Outgoing): { texts: unknown[]; compressed: boolean[] } {
      const { deflate: compress } = SyncDeflater.prototype;
      const writer = writerOf({ extensions: deflate, perMessageDeflate: { threshold: 0 } });
      const reader = new MessageReader({
        role: 'client',
        version: '13',
        maxMessageSize: 10_000,
        extensions: deflate,
        parts: false,
      });
      const texts: unknown[] = [];
      const compressed: boolean[] = [];
      let calls = 0;
      SyncDeflater.prototype.deflate = function (payload) {
        const result = compress.call(this, payload);
        if (++calls === 2) throw new Error('no memory');
        return result;
      };
      try {
        for (const message of [...messages, ...messages]) {
          writer.write(wrap(message));
          const bytes = taken(writer);
          compressed.push(((bytes[0] as number) & 0x40) !== 0);
          reader.feed(bytes);
          for (let item = reader.next(); item !== undefined; item = reader.next()) texts.push(item);
        }
      } finally {
        SyncDeflater.prototype.deflate = compress;
        writer.release();
        reader.release();
      }
      return { texts, compressed };
    }

    for (const [what, wrap] of [
      ['a message', (message: string) => message],
      ['a prepared message', (message: string) => new PreparedMessage(message)],
    ] as const) {
      it(`sends ${what} uncompressed, and compresses the next ones so that the peer can read them`, () => {
        const { texts, compressed } = readAfterFailure(wrap);
        expect(texts).to.deep.equal([...messages, ...messages]);
        expect(compressed).to.deep.equal([true, false, true, true, true, true]);
      });
    }
  });
});
