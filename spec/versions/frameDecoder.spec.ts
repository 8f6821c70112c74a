import { constants } from 'node:buffer';
import { expect } from 'chai';
import type { DecoderOptions, MessagePart, Role } from '../../lib/contracts';
import { FrameDecoder } from '../../lib/versions/frameDecoder';
import { layouts } from '../../lib/versions/rfc6455Frames';
import { decode, hex, peerOf, wire } from '../support/vectors';

function decoderOf(role: Role, options: Partial<DecoderOptions> = {}): FrameDecoder {
  return new FrameDecoder(layouts[role], { maxMessageSize: 2 ** 20, ...options });
}

/** Frames that the peer of this role sends. */
const frames = (text: string, role: Role) => wire(text, peerOf(role)).bytes;

/** The beginning of a header with a length of 8 bytes. */
function longHeader(first: number, length: number): Buffer {
  const header = Buffer.of(first, 127, 0, 0, 0, 0, 0, 0, 0, 0);
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

describe('FrameDecoder', () => {
  it('partialSize: is the number of received bytes of a message that has not ended', () => {
    const decoder = decoderOf('client');
    expect(decoder.partialSize).to.equal(0);
    for (const [bytes, size] of [
      ['01 03 616263', 3],
      ['00 02 61', 4],
      ['61 80 00', 0],
    ] as const) {
      decode(decoder, [hex(bytes)], { end: false });
      expect(decoder.partialSize, bytes).to.equal(size);
    }
  });

  it('takes no more memory for a binary message than its frame header has announced', () => {
    const chunks = [longHeader(0x82, 100_000), Buffer.alloc(60_000), Buffer.alloc(40_000)];
    const [message] = decode(decoderOf('client'), chunks).items;
    expect((message as Buffer).buffer.byteLength).to.equal(100_000);
  });

  it('reads a masked message that is longer than the masking window, also from one chunk', () => {
    const payload = Buffer.alloc(200_000, 'abcdefg');
    const header = longHeader(0x81, payload.length).toString('hex');
    const chunk = frames(`${header} | ${payload.toString('hex')}`, 'server');
    const { items } = decode(decoderOf('server'), [chunk]);
    expect(items[0] === payload.toString()).to.equal(true);
  });

  describe('with compression', () => {
    const options = { compression: true, maxMessageSize: 1000 };
    const outcome = (...chunks: Buffer[]) => decode(decoderOf('client', options), chunks, { end: false });

    it('returns compressed text and bytes as what they are', () => {
      expect(outcome(hex('c1 01 61 c2 01 62')).items).to.deep.equal([
        { opcode: 'text', compressed: true, payload: Buffer.from('a') },
        { opcode: 'binary', compressed: true, payload: Buffer.from('b') },
      ]);
    });

    it('refuses RSV1 in a continuation or a control frame, and the other reserved bits in every frame', () => {
      for (const bytes of ['41 00 c0 00', 'c9 00', 'c8 00', 'e1 00', 'd1 00', 'a1 00', '92 00'])
        expect(outcome(hex(bytes)).refusal, bytes).to.equal('WS_ERR_RESERVED_BITS 1002');
    });

    it('allows a compressed message to be a little longer than the limit, since not all bytes can be compressed', () => {
      expect(outcome(hex('c2 7e 0410')).refusal).to.equal(undefined);
      expect(outcome(hex('82 7e 0410')).refusal).to.equal('WS_ERR_MESSAGE_TOO_BIG 1009');
    });
  });

  it('refuses the header of a text that no string can hold, and not that of as many bytes', () => {
    const unlimited = { maxMessageSize: Number.POSITIVE_INFINITY };
    for (const [first, refusal] of [
      [0x81, 'WS_ERR_MESSAGE_TOO_BIG 1009'],
      [0x82, undefined],
    ] as const) {
      const header = longHeader(first, constants.MAX_STRING_LENGTH + 1);
      const outcome = decode(decoderOf('client', unlimited), [header], { end: false });
      expect(outcome.refusal).to.equal(refusal);
    }
  });

  for (const role of ['server', 'client'] as const)
    describe(`of a ${role}, with parts`, () => {
      const read = (...chunks: Buffer[]) => decode(decoderOf(role, { parts: true }), chunks).items;
      const part = { opcode: 'part', text: true, compressed: false } as const;

      it('returns a message as a whole if the chunk has all of it', () => {
        const longest = 'x'.repeat(65_536);
        const text = `81 7f 0000000000010000 | ${Buffer.from(longest).toString('hex')}`;
        const items = read(frames('81 02 | 6869', role), frames('82 01 | 00', role), frames(text, role));
        expect(items.slice(0, 2)).to.deep.equal(['hi', hex('00')]);
        expect(items[2] === longest).to.equal(true);
      });

      it('returns the parts of a frame as they are received', () => {
        const frame = frames('81 06 | 616263646566', role);
        const end = frame.length;
        expect(
          read(frame.subarray(0, end - 4), frame.subarray(end - 4, end - 1), frame.subarray(end - 1)),
        ).to.deep.equal([
          { ...part, first: true, last: false, payload: Buffer.from('ab') },
          { ...part, first: false, last: false, payload: Buffer.from('cde') },
          { ...part, first: false, last: true, payload: Buffer.from('f') },
        ]);
      });

      it('changes no part when later ones are received', () => {
        const payload = Buffer.alloc(150_000, 'abcdefg');
        const text = `82 7f 00000000000249f0 | ${payload.toString('hex')}`;
        const parts = read(frames(text, role)) as MessagePart[];
        expect(parts.length).to.be.above(1);
        expect(Buffer.concat(parts.map((each) => each.payload)).equals(payload)).to.equal(true);
      });
    });

  it('gives a client the large parts of a message without a copy', () => {
    const chunk = Buffer.alloc(60_000, 'a');
    const [first] = decode(decoderOf('client', { parts: true }), [longHeader(0x82, 100_000), chunk], {
      end: false,
    }).items;
    expect((first as MessagePart).payload.buffer === chunk.buffer).to.equal(true);
  });
});
