import { expect } from 'chai';
import { isSendableCloseCode } from '../../lib/closeCodes';
import { OutputQueue } from '../../lib/codec/outputQueue';
import type { CompressedMessage, DecoderOptions, Encodable, Incoming, Role } from '../../lib/contracts';
import type { WebSocketErrorCode } from '../../lib/errors';
import { protocolVersion } from '../../lib/versions';
import { retainedBytes } from '../support/garbage';
import { receivedAnswer, receivedRequest } from '../support/handshakes';
import { thrownBy } from '../support/thrown';
import {
  chunksOf,
  type Dice,
  decode,
  exampleKey,
  hex,
  masked,
  peerOf,
  splits,
  wire,
  withDice,
} from '../support/vectors';

const draft = protocolVersion('13');
const roles: readonly Role[] = ['server', 'client'];
const noLimit: DecoderOptions = { maxMessageSize: Number.POSITIVE_INFINITY };
const usualLimit: DecoderOptions = { maxMessageSize: 2 * 1024 * 1024 };

const ping = (payload = ''): Incoming => ({ opcode: 'ping', payload: Buffer.from(payload) });
const pong = (payload = ''): Incoming => ({ opcode: 'pong', payload: Buffer.from(payload) });
const closeFrame = (code: number, reason = ''): Incoming => ({ opcode: 'close', code, reason });

/** Frames that a peer may send, one to a line, and what they say. How they are written: spec/support/vectors.ts. */
interface Good {
  readonly what: string;
  readonly wire: string;
  readonly says: readonly Incoming[];
}

/** Frames that a peer must not send. A `!` stands behind the byte at which they are refused. */
interface Bad {
  readonly what: string;
  readonly wire: string;
  /** What came before the violation, and is delivered. */
  readonly says?: readonly Incoming[];
  readonly error: `${WebSocketErrorCode} ${number}`;
  readonly limits?: DecoderOptions;
}

const wholeMessages: Good[] = [
  { what: 'a text', wire: '81 05 | 48656c6c6f', says: ['Hello'] },
  { what: 'an empty text', wire: '81 00', says: [''] },
  { what: 'a binary message', wire: '82 03 | 00ff80', says: [hex('00ff80')] },
  { what: 'an empty binary message', wire: '82 00', says: [Buffer.alloc(0)] },
  { what: 'a byte order mark, which belongs to the text', wire: '81 04 | efbbbf 61', says: ['\ufeffa'] },
  { what: 'a replacement character that the peer means', wire: '81 03 | efbfbd', says: ['\ufffd'] },
  { what: 'the last code point', wire: '81 04 | f48fbfbf', says: ['\u{10ffff}'] },
  { what: 'a Greek word', wire: '81 0b | ceba e1bdb9 cf83 cebc ceb5', says: ['\u03ba\u1f79\u03c3\u03bc\u03b5'] },
  { what: 'U+0000', wire: '81 01 | 00', says: ['\0'] },
  {
    what: 'messages behind one another',
    wire: `
      81 01 | 61
      82 01 | 62
      81 00
      81 01 | 63`,
    says: ['a', Buffer.from('b'), '', 'c'],
  },
];

const fragments: Good[] = [
  {
    what: 'a text in two fragments',
    wire: `
      01 03 | 48656c   # "Hel", and more to come
      80 02 | 6c6f     # "lo", the end`,
    says: ['Hello'],
  },
  {
    what: 'a binary message in three',
    wire: `
      02 01 | ff
      00 02 | 0001
      80 01 | 80`,
    says: [hex('ff000180')],
  },
  {
    what: 'fragments without any bytes',
    wire: `
      01 00
      00 00
      00 01 | 61
      80 00`,
    says: ['a'],
  },
  {
    what: 'an empty message in fragments',
    wire: `
      02 00
      80 00`,
    says: [Buffer.alloc(0)],
  },
  {
    what: 'a code point that spans three fragments',
    wire: `
      01 01 | e2
      00 01 | 82
      80 01 | ac`,
    says: ['\u20ac'],
  },
  {
    what: 'control frames between fragments, before the message that they interrupt',
    wire: `
      01 02 | f09f     # half of an emoji
      89 01 | 31       # ping "1"
      00 01 | 98
      8a 00            # pong
      80 01 | 80`,
    says: [ping('1'), pong(), '\u{1f600}'],
  },
  {
    what: 'a message after a fragmented one',
    wire: `
      01 01 | 61
      80 01 | 62
      81 01 | 63`,
    says: ['ab', 'c'],
  },
];

const controlFrames: Good[] = [
  { what: 'a ping', wire: '89 05 | 48656c6c6f', says: [ping('Hello')] },
  { what: 'a ping without a body', wire: '89 00', says: [ping()] },
  { what: 'the longest ping', wire: `89 7d | ${'61'.repeat(125)}`, says: [ping('a'.repeat(125))] },
  { what: 'a pong that nobody asked for', wire: '8a 05 | 48656c6c6f', says: [pong('Hello')] },
  { what: 'a Close without a code', wire: '88 00', says: [closeFrame(1005)] },
  { what: 'a Close', wire: '88 02 | 03e8', says: [closeFrame(1000)] },
  { what: 'a Close with a reason', wire: '88 05 | 03e9 627965', says: [closeFrame(1001, 'bye')] },
  {
    what: 'a Close with the longest reason',
    wire: `88 7d | 0bb8 ${'e282ac'.repeat(41)}`,
    says: [closeFrame(3000, '\u20ac'.repeat(41))],
  },
  {
    what: 'nothing behind a Close, good or bad',
    wire: `
      81 01 | 61
      88 00
      81 01 | 62     # a message too late
      c3 7f | ff     # and no frame at all`,
    says: ['a', closeFrame(1005)],
  },
  {
    what: 'a Close inside a message, which ends it',
    wire: `
      01 01 | 61
      88 02 | 03e8
      80 01 | 62`,
    says: [closeFrame(1000)],
  },
];

const thresholds: Good[] = [125, 126, 127, 65_535, 65_536, 65_537].flatMap((length) => {
  const header =
    length < 126
      ? length.toString(16)
      : length < 65_536
        ? `7e ${length.toString(16).padStart(4, '0')}`
        : `7f ${length.toString(16).padStart(16, '0')}`;
  return [
    { what: `a text of ${length} bytes`, wire: `81 ${header} | ${'61'.repeat(length)}`, says: ['a'.repeat(length)] },
    {
      what: `a binary message of ${length} bytes`,
      wire: `82 ${header} | ${'ff'.repeat(length)}`,
      says: [Buffer.alloc(length, 0xff)],
    },
  ];
});

const badHeaders: Bad[] = [
  { what: 'RSV1, which no extension has claimed', wire: 'c1 00 !', error: 'WS_ERR_RESERVED_BITS 1002' },
  { what: 'RSV2', wire: 'a1 00 !', error: 'WS_ERR_RESERVED_BITS 1002' },
  { what: 'RSV3', wire: '91 00 !', error: 'WS_ERR_RESERVED_BITS 1002' },
  { what: 'RSV1 on a ping', wire: 'c9 00 !', error: 'WS_ERR_RESERVED_BITS 1002' },
  {
    what: 'RSV1 on a continuation',
    wire: `
      01 01 | 61
      c0 01 ! | 62`,
    error: 'WS_ERR_RESERVED_BITS 1002',
  },
  ...['3', '4', '5', '6', '7', 'b', 'c', 'd', 'e', 'f'].map(
    (opcode): Bad => ({
      what: `opcode ${opcode.toUpperCase()}`,
      wire: `8${opcode} 00 !`,
      error: 'WS_ERR_RESERVED_OPCODE 1002',
    }),
  ),
  { what: 'a length of 5 in two bytes', wire: '81 7e 0005 ! | 48656c6c6f', error: 'WS_ERR_INVALID_LENGTH 1002' },
  { what: 'a length of 125 in two bytes', wire: '82 7e 007d !', error: 'WS_ERR_INVALID_LENGTH 1002' },
  { what: 'a length of 0 in eight bytes', wire: '82 7f 0000000000000000 !', error: 'WS_ERR_INVALID_LENGTH 1002' },
  { what: 'a length of 65535 in eight bytes', wire: '82 7f 000000000000ffff !', error: 'WS_ERR_INVALID_LENGTH 1002' },
  { what: 'a length with its top bit set', wire: '82 7f 8000000000010000 !', error: 'WS_ERR_INVALID_LENGTH 1002' },
  { what: 'a length of all ones', wire: '82 7f ffffffffffffffff !', error: 'WS_ERR_INVALID_LENGTH 1002' },
  {
    what: 'a length beyond what a number can count, even without a limit',
    wire: '82 7f 0020000000000000 !',
    error: 'WS_ERR_MESSAGE_TOO_BIG 1009',
    limits: noLimit,
  },
  { what: 'the longest length', wire: '82 7f 7fffffffffffffff !', error: 'WS_ERR_MESSAGE_TOO_BIG 1009' },
  { what: 'a fragmented ping', wire: '09 00 !', error: 'WS_ERR_INVALID_CONTROL_FRAME 1002' },
  { what: 'a fragmented pong', wire: '0a 00 !', error: 'WS_ERR_INVALID_CONTROL_FRAME 1002' },
  { what: 'a fragmented Close', wire: '08 02 ! | 03e8', error: 'WS_ERR_INVALID_CONTROL_FRAME 1002' },
  {
    what: 'a ping of 126 bytes, by its first two',
    wire: `89 7e ! 007e | ${'61'.repeat(126)}`,
    error: 'WS_ERR_INVALID_CONTROL_FRAME 1002',
  },
  {
    what: 'a Close with a 64-bit length, by its first two bytes',
    wire: '88 7f ! 0000000000010000',
    error: 'WS_ERR_INVALID_CONTROL_FRAME 1002',
  },
  { what: 'a continuation of nothing', wire: '80 00 !', error: 'WS_ERR_INVALID_FRAGMENT 1002' },
  { what: 'a fragment of nothing', wire: '00 01 ! | 61', error: 'WS_ERR_INVALID_FRAGMENT 1002' },
  {
    what: 'a continuation behind the end of a message',
    wire: `
      01 01 | 61
      80 01 | 62
      80 01 ! | 63`,
    says: ['ab'],
    error: 'WS_ERR_INVALID_FRAGMENT 1002',
  },
  {
    what: 'a text inside a text',
    wire: `
      01 01 | 61
      81 01 ! | 62`,
    error: 'WS_ERR_INVALID_FRAGMENT 1002',
  },
  {
    what: 'a fragmented binary message inside a text, after a ping that is good there',
    wire: `
      01 00
      89 00
      02 01 ! | 62`,
    says: [ping()],
    error: 'WS_ERR_INVALID_FRAGMENT 1002',
  },
];

const fiveBytes: DecoderOptions = { maxMessageSize: 5 };

const tooBig: Bad[] = [
  {
    what: 'a text of one byte too many, by its header',
    wire: '81 06 ! | 616263646566',
    error: 'WS_ERR_MESSAGE_TOO_BIG 1009',
    limits: fiveBytes,
  },
  {
    what: 'a message with a 16-bit length, by its header',
    wire: '82 7e ffff !',
    error: 'WS_ERR_MESSAGE_TOO_BIG 1009',
    limits: fiveBytes,
  },
  {
    what: 'a message with a 64-bit length, by its header',
    wire: '82 7f 0000000000200001 !',
    error: 'WS_ERR_MESSAGE_TOO_BIG 1009',
  },
  {
    what: 'the fragment that is too much, by its header',
    wire: `
      01 03 | 616263
      00 02 | 6465
      80 01 ! | 66`,
    error: 'WS_ERR_MESSAGE_TOO_BIG 1009',
    limits: fiveBytes,
  },
];

const badTexts: Bad[] = [
  { what: 'a continuation byte alone', wire: '81 02 | 80! 61', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'an overlong slash', wire: '81 02 | c0! 80', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'an overlong DEL', wire: '81 02 | c1! bf', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'an overlong form of three bytes', wire: '81 03 | e0 80! 80', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'an overlong form of four bytes', wire: '81 04 | f0 80! 8080', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'the first surrogate', wire: '81 03 | ed a0! 80', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'the last surrogate', wire: '81 03 | ed bf! bf', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'a code point beyond Unicode', wire: '81 04 | f4 90! 8080', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'F5', wire: '81 04 | f5! 808080', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'FE', wire: '81 02 | 61fe!', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'FF', wire: '81 02 | ff! 61', error: 'WS_ERR_INVALID_UTF8 1007' },
  { what: 'half a code point at the end', wire: '81 02 | 61ce !', error: 'WS_ERR_INVALID_UTF8 1007' },
  {
    what: 'an impossible byte of a long text that has hardly begun',
    wire: `81 7e 0100 | 61ff! ${'61'.repeat(254)}`,
    error: 'WS_ERR_INVALID_UTF8 1007',
  },
  {
    what: 'an impossible byte in the first of many fragments',
    wire: `
      01 02 | 61 c0!
      00 01 | 61`,
    error: 'WS_ERR_INVALID_UTF8 1007',
  },
  {
    what: 'a byte that a lead byte in an earlier fragment makes impossible',
    wire: `
      01 01 | f4
      89 01 | 31
      00 00
      80 02 | 90! 80`,
    says: [ping('1')],
    error: 'WS_ERR_INVALID_UTF8 1007',
  },
  {
    what: 'half a code point before an empty last fragment',
    wire: `
      01 02 | 61ce
      80 00 | !`,
    error: 'WS_ERR_INVALID_UTF8 1007',
  },
];

const badCloses: Bad[] = [
  { what: 'half a code', wire: '88 01 | 03 !', error: 'WS_ERR_INVALID_CLOSE 1002' },
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
    (code): Bad => ({
      what: `code ${code}`,
      wire: `88 02 | ${code.toString(16).padStart(4, '0')} !`,
      error: 'WS_ERR_INVALID_CLOSE 1002',
    }),
  ),
  { what: 'a reason that is not UTF-8', wire: '88 04 | 03e8 c328 !', error: 'WS_ERR_INVALID_UTF8 1007' },
  {
    what: 'a bad code, and good frames behind it',
    wire: `
      88 02 | 03ec !
      81 01 | 61`,
    error: 'WS_ERR_INVALID_CLOSE 1002',
  },
];

describe('RFC 6455: the decoder reads', () => {
  for (const role of roles) {
    const sender = peerOf(role);
    const newDecoder = (limits = usualLimit) => draft.decoder(role, limits);

    describe(`frames from a ${sender}:`, () => {
      const good: Record<string, Good[]> = { wholeMessages, fragments, controlFrames, thresholds };
      for (const vector of Object.values(good).flat()) {
        it(`${vector.what}, wherever it is cut`, () => {
          const { bytes } = wire(vector.wire, sender);
          for (const { how, chunks } of splits(bytes)) {
            const { items, refusal } = decode(newDecoder(), chunks);
            expect(refusal, how).to.equal(undefined);
            expectSame(items, vector.says, how);
          }
        });
      }

      const bad: Record<string, Bad[]> = {
        header: badHeaders,
        'message over the limit': tooBig,
        text: badTexts,
        'Close frame': badCloses,
      };
      for (const [kind, vectors] of Object.entries(bad)) {
        for (const { what, says = [], limits, error, ...vector } of vectors) {
          it(`an invalid ${kind}, and refuses it: ${what}; wherever it is cut, and after the earlier messages`, () => {
            const greeting = wire('81 05 | 48656c6c6f', sender).bytes;
            const { bytes, refusedAfter = 0 } = wire(vector.wire, sender);
            for (const { how, chunks } of splits(bytes)) {
              const { items, refusal } = decode(newDecoder(limits), [greeting, ...chunks]);
              expect(refusal, how).to.equal(error);
              expectSame(items, ['Hello', ...says], how);
            }
            const inOneChunk = decode(newDecoder(limits), [Buffer.concat([greeting, bytes])]);
            expect(inOneChunk.refusal).to.equal(error);
            expectSame(inOneChunk.items, ['Hello', ...says], 'in one chunk with a good message');
            // At that very byte, whether or not more of the frame ever comes.
            const byteByByte = decode(newDecoder(limits), chunksOf(bytes, 1), { end: false });
            expect(byteByByte.refusedAfter, 'byte by byte').to.equal(refusedAfter);
            const justEnough = decode(newDecoder(limits), [bytes.subarray(0, refusedAfter)], { end: false });
            expect(justEnough.refusal, 'with that byte').to.equal(error);
            const notEnough = decode(newDecoder(limits), [bytes.subarray(0, refusedAfter - 1)], { end: false });
            expect(notEnough.refusal, 'before that byte').to.equal(undefined);
          });
        }
      }

      it('a Close with each code that may be sent', () => {
        for (let code = 0; code <= 5000; code++) {
          const { bytes } = wire(`88 02 | ${code.toString(16).padStart(4, '0')}`, sender);
          const { items, refusal } = decode(newDecoder(), [bytes]);
          if (isSendableCloseCode(code)) expectSame(items, [closeFrame(code)], String(code));
          else expect(refusal, String(code)).to.equal('WS_ERR_INVALID_CLOSE 1002');
        }
      });

      it('a message that has exactly the size of the limit', () => {
        const { bytes } = wire(
          `
            81 05 | 6162636465
            01 03 | 616263
            89 06 | 313233343536   # a ping is no part of it
            80 02 | 6465
            82 05 | 6162636465
            88 08 | 03e8 313233343536   # neither is a Close`,
          sender,
        );
        const { items, refusal } = decode(newDecoder(fiveBytes), [bytes]);
        expect(refusal).to.equal(undefined);
        const messages = ['abcde', ping('123456'), 'abcde', Buffer.from('abcde')];
        expectSame(items, [...messages, closeFrame(1000, '123456')], 'at the limit');
      });

      it('an end, and throws WS_ERR_TRUNCATED only inside a header, a frame or a message', () => {
        const { bytes } = wire(
          `
            01 02 | 6162
            89 01 | 31
            80 01 | 63`,
          sender,
        );
        for (let length = 0; length <= bytes.length; length++) {
          const { refusal } = decode(newDecoder(), [bytes.subarray(0, length)]);
          const complete = length === 0 || length === bytes.length;
          expect(refusal, `${length} bytes`).to.equal(complete ? undefined : 'WS_ERR_TRUNCATED 1002');
        }
      });

      it('an end after a Close frame without an error, also inside a message', () => {
        const { bytes } = wire(
          `
            01 02 | 6162
            88 00
            80 05 | 63`,
          sender,
        );
        expect(decode(newDecoder(), [bytes]).refusal).to.equal(undefined);
      });
    });
  }

  describe('the examples of §5.7, masked with 37fa213d:', () => {
    const examples: Good[] = [
      { what: 'a text', wire: '81 85 37fa213d 7f9f4d5158', says: ['Hello'] },
      { what: 'a pong', wire: '8a 85 37fa213d 7f9f4d5158', says: [pong('Hello')] },
      { what: 'a Close with 1000', wire: '88 82 37fa213d 3412', says: [closeFrame(1000)] },
      {
        what: 'two fragments, with a key each',
        wire: `
          01 83 37fa213d 7f9f4d
          80 82 00000000 6c6f`,
        says: ['Hello'],
      },
      { what: 'a key whose first bit is set', wire: '81 82 ff000080 9e62', says: ['ab'] },
    ];
    for (const { what, says, ...example } of examples) {
      it(what, () => {
        for (const { how, chunks } of splits(hex(example.wire))) {
          expectSame(decode(draft.decoder('server', usualLimit), chunks).items, says, how);
        }
      });
    }

    it('as the specs mask the unmasked vectors', () => {
      expect(wire('81 05 | 48656c6c6f', 'client').bytes).to.deep.equal(hex('81 85 37fa213d 7f9f4d5158'));
    });
  });

  describe('a frame that is masked though it must not be, or the reverse:', () => {
    const refused: [role: Role, bytes: string, error: string][] = [
      ['server', '81 05 48656c6c6f', 'WS_ERR_MASK_REQUIRED 1002'],
      ['server', '89 00', 'WS_ERR_MASK_REQUIRED 1002'],
      ['client', '81 81 00000000 61', 'WS_ERR_MASK_FORBIDDEN 1002'],
      ['client', '88 82 37fa213d 3412', 'WS_ERR_MASK_FORBIDDEN 1002'],
    ];
    for (const [role, bytes, error] of refused) {
      it(`${bytes} to a ${role}, refused by its first two bytes`, () => {
        for (const { how, chunks } of splits(hex(bytes))) {
          expect(decode(draft.decoder(role, usualLimit), chunks).refusal, how).to.equal(error);
        }
        const byteByByte = decode(draft.decoder(role, usualLimit), chunksOf(hex(bytes), 1));
        expect([byteByByte.refusal, byteByByte.refusedAfter]).to.deep.equal([error, 2]);
      });
    }
  });
});

describe('RFC 6455: the memory of a decoder', () => {
  const cases = [1, 20, 100, 1000, 30_000, 100_000].flatMap((length) => [
    { length, fin: true },
    { length, fin: false },
  ]);

  for (const role of roles) {
    it(`never changes the chunk of a ${peerOf(role)}, nor shares it with a message`, () => {
      for (const { length, fin } of cases) {
        const frames = encode(draft.encoder(peerOf(role)), [
          { opcode: 'binary', fin, payload: Buffer.alloc(length, 'b') },
          { opcode: 'ping', payload: Buffer.from('p') },
          ...(fin ? [] : [{ opcode: 'continuation', fin: true, payload: Buffer.alloc(0) } as const]),
        ]);
        // In memory of its own, as from a socket, and not out of the pool that small Buffers share.
        const chunk = Buffer.from(new Uint8Array(frames).buffer);
        const { items } = decode(draft.decoder(role, usualLimit), [chunk]);
        expect(chunk.equals(frames), 'the chunk is as it was').to.equal(true);
        expect(items).to.have.lengthOf(2);
        for (const item of items) {
          const bytes = item instanceof Uint8Array ? item : (item as { payload: Uint8Array }).payload;
          expect(bytes.buffer === chunk.buffer, 'shares memory').to.equal(false);
        }
      }
    });
  }

  it('does not keep the chunk of a small message or of the beginning of a frame', async () => {
    const chunkSize = 64 * 1024;
    // A small message, a large one, and the first bytes of a ping that goes on in a chunk to come.
    const frames = Buffer.concat([hex('82 01 61'), hex('82 7e fff0'), Buffer.alloc(0xfff0), hex('89 05 61')]);
    const kept: unknown[] = [];
    const before = await retainedBytes();
    for (let i = 0; i < 100; i++) {
      const decoder = draft.decoder('client', usualLimit);
      const { items } = decode(decoder, chunksOf(frames, chunkSize), { end: false });
      expect(items).to.have.lengthOf(2);
      kept.push(decoder, items[0]);
    }
    expect((await retainedBytes()) - before).to.be.below(10 * chunkSize);
    expect(kept).to.have.lengthOf(200);
  });

  for (const opcode of ['81', '82', '01', '02']) {
    it(`is not filled by a header ${opcode} that announces half a gigabyte`, () => {
      const decoder = draft.decoder('client', noLimit);
      const before = process.memoryUsage().arrayBuffers;
      const { items, refusal } = decode(decoder, [hex(`${opcode} 7f 000000001fff0000`), hex('61')], { end: false });
      expect([items, refusal]).to.deep.equal([[], undefined]);
      expect(process.memoryUsage().arrayBuffers - before).to.be.below(1024 * 1024);
    });
  }

  it('is not filled by empty fragments', async () => {
    const decoder = draft.decoder('client', usualLimit);
    const empty = Buffer.concat(Array.from({ length: 10_000 }, () => hex('00 00')));
    decode(decoder, [hex('01 00'), empty], { end: false });
    const before = await retainedBytes();
    for (let i = 0; i < 10; i++) decode(decoder, [empty], { end: false });
    // 100,000 fragments; a record for each would take more than this.
    expect((await retainedBytes()) - before).to.be.below(1024 * 1024);
    expectSame(decode(decoder, [hex('80 00')]).items, [''], 'the end of it all');
  });
});

describe('RFC 6455: the encoder writes', () => {
  const encodings: [what: string, item: Encodable, frames: string][] = [
    ['a string', 'Hello', '81 05 | 48656c6c6f'],
    ['an empty string', '', '81 00'],
    ['a Buffer', hex('00ff'), '82 02 | 00ff'],
    ['a Uint8Array', Uint8Array.of(1, 2), '82 02 | 0102'],
    ['an empty Buffer', Buffer.alloc(0), '82 00'],
    ['a character of two bytes', '\u00fc', '81 02 | c3bc'],
    ['an emoji', '\u{1f600}', '81 04 | f09f9880'],
    ['half an emoji, which UTF-8 cannot say', 'a\ud83d', '81 04 | 61efbfbd'],
    ['text that the program has as bytes', { opcode: 'text', fin: true, payload: Buffer.from('ab') }, '81 02 | 6162'],
    ['bytes that the program has as a string', { opcode: 'binary', fin: true, payload: 'ab' }, '82 02 | 6162'],
    ['a first fragment of text', { opcode: 'text', fin: false, payload: 'Hel' }, '01 03 | 48656c'],
    ['a first fragment of bytes', { opcode: 'binary', fin: false, payload: hex('ff') }, '02 01 | ff'],
    ['a fragment between', { opcode: 'continuation', fin: false, payload: '' }, '00 00'],
    ['the last fragment', { opcode: 'continuation', fin: true, payload: 'lo' }, '80 02 | 6c6f'],
    ['a ping', { opcode: 'ping', payload: Buffer.from('1') }, '89 01 | 31'],
    ['the longest pong', { opcode: 'pong', payload: Buffer.alloc(125, 'a') }, `8a 7d | ${'61'.repeat(125)}`],
    ['a Close without a code', { opcode: 'close', code: 1005, reason: '' }, '88 00'],
    ['a Close with a reason', { opcode: 'close', code: 1001, reason: 'bye' }, '88 05 | 03e9 627965'],
  ];

  for (const [what, item, frames] of encodings) {
    it(`${what}: ${frames.length > 40 ? `${frames.slice(0, 20)}\u2026` : frames}`, () => {
      expect(encode(draft.encoder('server'), [item])).to.deep.equal(wire(frames, 'server').bytes);
      const fromClient = encode(draft.encoder('client'), [item]);
      const { key, payload, header } = readMasked(fromClient);
      expect(Buffer.concat([header, masked(payload, key)])).to.deep.equal(wire(frames, 'server').bytes);
    });
  }

  describe('payloads at the limits of each length format:', () => {
    const headers: [length: number, header: string][] = [
      [125, '7d'],
      [126, '7e 007e'],
      [65_535, '7e ffff'],
      [65_536, '7f 0000000000010000'],
    ];
    // Some of these have more bytes than characters, so the length is known only when the text is encoded.
    const texts: [what: string, of: (length: number) => string][] = [
      ['bytes of ASCII', (length) => 'a'.repeat(length)],
      ['bytes of umlauts', (length) => '\u00fc'.repeat(length / 2) + 'a'.repeat(length % 2)],
      ['bytes of euros', (length) => '\u20ac'.repeat(length / 3) + 'a'.repeat(length % 3)],
      [
        'bytes of emoji behind a letter',
        (length) => `a${'\u{1f600}'.repeat((length - 1) / 4)}${'a'.repeat((length - 1) % 4)}`,
      ],
    ];
    for (const [length, header] of headers) {
      for (const [what, of] of texts) {
        it(`${length} ${what}`, () => {
          const text = of(length);
          const payload = Buffer.from(text);
          expect(payload).to.have.lengthOf(length);
          const expected = Buffer.concat([hex(`81 ${header}`), payload]);
          expect(encode(draft.encoder('server'), [text]).equals(expected), 'server').to.equal(true);
          const fromClient = readMasked(encode(draft.encoder('client'), [text]));
          const unmasked = Buffer.concat([fromClient.header, masked(fromClient.payload, fromClient.key)]);
          expect(unmasked.equals(expected), 'client').to.equal(true);
        });
      }

      it(`${length} bytes`, () => {
        const payload = Buffer.alloc(length, 0xa5);
        const expected = Buffer.concat([hex(`82 ${header}`), payload]);
        expect(encode(draft.encoder('server'), [payload]).equals(expected), 'server').to.equal(true);
        const fromClient = readMasked(encode(draft.encoder('client'), [payload]));
        const unmasked = Buffer.concat([fromClient.header, masked(fromClient.payload, fromClient.key)]);
        expect(unmasked.equals(expected), 'client').to.equal(true);
      });
    }
  });

  it("a client's messages, each with its own masking key", () => {
    const items = Array.from({ length: 500 }, () => 'a');
    const bytes = encode(draft.encoder('client'), items);
    const keys = Array.from(items, (_, i) => bytes.toString('hex', i * 7 + 2, i * 7 + 6));
    expect(new Set(keys).size).to.be.above(495);
  });

  it('a large payload by reference on a server, and a masked copy on a client, without changing it', () => {
    const payload = Buffer.alloc(1024 * 1024, 'x');
    for (const role of roles) {
      const queue = new OutputQueue();
      draft.encoder(role)(payload, queue);
      const pieces = queue.take();
      expect(
        pieces.some((piece) => piece.buffer === payload.buffer),
        role,
      ).to.equal(role === 'server');
      expect(payload.equals(Buffer.alloc(1024 * 1024, 'x'))).to.equal(true);
    }
  });

  it('a copy of a small payload, so that the program may use its memory again', () => {
    for (const role of roles) {
      const payload = Buffer.from('abc');
      const queue = new OutputQueue();
      draft.encoder(role)(payload, queue);
      payload.fill('x');
      const { items } = decode(draft.decoder(peerOf(role), usualLimit), queue.take() as Buffer[]);
      expectSame(items, [Buffer.from('abc')], role);
    }
  });

  describe('no byte for an item that no frame can have, and throws', () => {
    const refused: [what: string, item: Encodable, message: string][] = [
      ['a ping of 126 bytes', { opcode: 'ping', payload: Buffer.alloc(126) }, '125 bytes'],
      ['a pong of 126 bytes', { opcode: 'pong', payload: Buffer.alloc(126) }, '125 bytes'],
      ['close code 1006', { opcode: 'close', code: 1006, reason: '' }, '1006'],
      ['close code 1015', { opcode: 'close', code: 1015, reason: '' }, '1015'],
      ['close code 65536', { opcode: 'close', code: 65_536, reason: '' }, '65536'],
      ['a reason of 124 bytes', { opcode: 'close', code: 1000, reason: 'x'.repeat(124) }, '123 bytes'],
    ];
    for (const [what, item, message] of refused) {
      it(what, () => {
        for (const role of roles) {
          const queue = new OutputQueue();
          const error = thrownBy(() => draft.encoder(role)(item, queue));
          expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
          expect(error.message).to.include(message);
          expect(queue.length).to.equal(0);
        }
      });
    }
  });
});

describe('RFC 6455: a round trip', () => {
  for (const role of roles) {
    it(`from a ${role} to its peer gives back every message, however it was fragmented and cut`, () => {
      withDice((dice) => {
        for (let round = 0; round < 40; round++) {
          const { items, says } = randomConversation(dice);
          const bytes = encode(draft.encoder(role), items);
          const { items: heard, refusal } = decode(draft.decoder(peerOf(role), usualLimit), randomChunks(bytes, dice));
          expect(refusal).to.equal(undefined);
          expectSame(heard, says, `round ${round}`);
        }
      });
    });
  }
});

describe('RFC 6455: the handshake of a server', () => {
  it('answers the key of RFC 6455 §1.3', () => {
    const request = { url: '/', rawHeaders: [], headers: { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } };
    expect(draft.answer(request, false)).to.deep.equal({
      statusMessage: 'Switching Protocols',
      headers: {
        Upgrade: 'websocket',
        Connection: 'Upgrade',
        'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      },
    });
  });

  it('refuses a key that is missing, malformed or sent twice, with 400', () => {
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    for (const value of [undefined, '', 'x', `${key}, ${key}`]) {
      const headers = value === undefined ? {} : { 'sec-websocket-key': value };
      const error = thrownBy(() => draft.answer({ headers, rawHeaders: [], url: '/' }, false));
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_INVALID_HANDSHAKE', 400]);
      expect(error.message).to.include('Sec-WebSocket-Key');
    }
  });
});

describe('RFC 6455: the handshake of a client', () => {
  const location = new URL('ws://example.com/chat');
  const origin = 'http://a.example';

  for (const [version, originHeader] of [
    ['13', 'Origin'],
    ['8', 'Sec-WebSocket-Origin'],
    ['7', 'Sec-WebSocket-Origin'],
  ] as const)
    it(`asks for version ${version}, with ${originHeader} if it has an origin`, () => {
      const { headers, replySize } = draft.connect(version, location, origin);
      const { 'Sec-WebSocket-Key': key, ...others } = headers;
      const common = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': version };
      expect(others).to.deep.equal({ ...common, [originHeader]: origin });
      expect([Buffer.from(key as string, 'base64').length, replySize]).to.deep.equal([16, 0]);
      expect(draft.connect(version, location, undefined).headers).to.have.all.keys(
        ...Object.keys(common),
        'Sec-WebSocket-Key',
      );
    });

  it('has a new key for each connection', () => {
    const newKey = () => draft.connect('13', location, undefined).headers['Sec-WebSocket-Key'];
    expect(newKey()).not.to.equal(newKey());
  });

  /** A client, and the answer of a server to it. */
  function handshake() {
    const client = draft.connect('13', location, undefined);
    return { client, answer: draft.answer(receivedRequest(client, location), false) };
  }

  it('accepts the answer to its key, also with spaces around it', () => {
    const { client, answer } = handshake();
    client.verify(receivedAnswer(answer), Buffer.alloc(0));
    const spaced = { 'sec-websocket-accept': ` ${answer.headers['Sec-WebSocket-Accept']} ` };
    client.verify(receivedAnswer(answer, spaced), Buffer.alloc(0));
  });

  it('refuses an answer without an upgrade, without an accepted key, or with that of another key', () => {
    const { client, answer } = handshake();
    const { 'sec-websocket-accept': _accept, ...withoutKey } = receivedAnswer(answer).headers;
    for (const [headers, message] of [
      [receivedAnswer(answer, { upgrade: 'h2c' }).headers, 'Upgrade must be websocket'],
      [withoutKey, 'Sec-WebSocket-Accept'],
      [receivedAnswer(handshake().answer).headers, 'Sec-WebSocket-Accept'],
    ] as const) {
      const error = thrownBy(() => client.verify({ headers }, Buffer.alloc(0)));
      expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
      expect(error.message).to.include(message);
    }
  });

  it('has no keys over HTTP/2, but the version and an origin (RFC 8441 §5)', () => {
    const { extendedConnect } = draft;
    expect(extendedConnect?.headers(undefined)).to.deep.equal({ 'Sec-WebSocket-Version': '13' });
    expect(extendedConnect?.headers(origin)).to.deep.equal({ 'Sec-WebSocket-Version': '13', Origin: origin });
  });
});

/** As deep equality, but quick for long messages, and short in its complaint. */
function expectSame(
  actual: readonly (CompressedMessage | Incoming)[],
  expected: readonly Incoming[],
  how: string,
): void {
  expect(actual.map(show), how).to.deep.equal(expected.map(show));
  for (const [i, item] of actual.entries()) {
    const wanted = expected[i];
    if (item instanceof Buffer) expect(item.equals(wanted as Buffer), how).to.equal(true);
    else if (typeof item === 'string') expect(item === wanted, how).to.equal(true);
    else expect(item, how).to.deep.equal(wanted);
  }
}

function show(item: Incoming | CompressedMessage): string {
  if (typeof item === 'string') return `${item.length} characters: ${item.slice(0, 50)}`;
  if (item instanceof Buffer) return `${item.length} bytes: ${item.toString('hex', 0, 50)}`;
  return (item as { opcode: string }).opcode;
}

function encode(encoder: ReturnType<typeof draft.encoder>, items: readonly Encodable[]): Buffer {
  const queue = new OutputQueue();
  for (const item of items) encoder(item, queue);
  return Buffer.concat(queue.take());
}

/** The parts of one masked frame; its header as a server would have written it. */
function readMasked(frame: Buffer): { header: Buffer; key: Buffer; payload: Buffer } {
  const second = frame.readUInt8(1);
  expect(second & 0x80, 'the mask bit').to.equal(0x80);
  const length = second & 0x7f;
  const size = length === 126 ? 4 : length === 127 ? 10 : 2;
  const header = Buffer.from(frame.subarray(0, size));
  header.writeUInt8(length, 1);
  const end = size + exampleKey.length;
  return { header, key: frame.subarray(size, end), payload: frame.subarray(end) };
}

function randomChunks(bytes: Buffer, dice: Dice): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + dice.roll(dice.pick([3, 100, 3000, 100_000]));
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** A few messages, some of them in fragments with control frames between, and what the peer should make of them. */
function randomConversation(dice: Dice): { items: Encodable[]; says: Incoming[] } {
  const items: Encodable[] = [];
  const says: Incoming[] = [];
  const sometimesPing = () => {
    if (dice.roll(4) > 0) return;
    const frame = { opcode: dice.pick(['ping', 'pong'] as const), payload: dice.bytes(dice.roll(126)) };
    items.push(frame);
    says.push(frame);
  };
  for (let count = dice.roll(8); count > 0; count--) {
    sometimesPing();
    const size = dice.roll(dice.pick([2, 130, 5000, 70_000]));
    const message = dice.roll(2) === 0 ? dice.bytes(size) : randomText(dice, size);
    if (dice.roll(3) > 0) {
      items.push(message);
    } else {
      const bytes = Buffer.from(message);
      let opcode: 'text' | 'binary' | 'continuation' = typeof message === 'string' ? 'text' : 'binary';
      let at = 0;
      for (let rest = dice.roll(4); rest > 0; rest--) {
        // Anywhere, so also inside a code point, and a fragment may be empty.
        const end = at + dice.roll(bytes.length - at + 1);
        items.push({ opcode, fin: false, payload: bytes.subarray(at, end) });
        opcode = 'continuation';
        at = end;
        sometimesPing();
      }
      items.push({ opcode, fin: true, payload: bytes.subarray(at) });
    }
    says.push(message);
  }
  if (dice.roll(2) === 0) {
    const goodbye = { opcode: 'close', code: 3000 + dice.roll(2000), reason: randomText(dice, dice.roll(30)) } as const;
    items.push(goodbye, 'never heard');
    says.push(goodbye);
  }
  return { items, says };
}

function randomText(dice: Dice, length: number): string {
  const alphabet = dice.pick(['abc', 'a\u00fc\u20ac\u{1f600}', '\0\x7f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}']);
  const characters = [...alphabet];
  let text = '';
  for (let i = 0; i < length; i++) text += dice.pick(characters);
  return text;
}
