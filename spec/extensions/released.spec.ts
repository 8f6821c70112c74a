import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import type { MessagePart } from '../../lib/contracts';
import type { WebSocketError } from '../../lib/errors';
import { MessageReader } from '../../lib/framing/messageReader';
import { Dice } from '../support/vectors';

/** Bytes of a kind that is compressed in many short blocks, so that a decompressor finds a block header nearly everywhere. */
function sourceOf(dice: Dice): Buffer {
  return Buffer.concat(
    Array.from({ length: 80 }, () => (dice.roll(2) ? dice.bytes(500) : Buffer.alloc(500, dice.roll(256)))),
  );
}

function compressed(data: Buffer, dice: Dice): Buffer {
  const strategy = dice.pick([constants.Z_FIXED, constants.Z_DEFAULT_STRATEGY, constants.Z_HUFFMAN_ONLY]);
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH, memLevel: 1, strategy }).subarray(0, -4);
}

/** One message of a server, in fragments of `size` bytes. */
function framesOf(payload: Buffer, size: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    const first = (at === 0 ? 0x42 : 0) | (at + size >= payload.length ? 0x80 : 0);
    const length = piece.length < 126 ? [piece.length] : [126, piece.length >> 8, piece.length & 0xff];
    frames.push(Buffer.of(first, ...length), piece);
  }
  return Buffer.concat(frames);
}

function readerOfParts(): MessageReader {
  const extensions = 'permessage-deflate';
  return new MessageReader({ role: 'client', version: '13', maxMessageSize: 1e6, extensions, parts: true });
}

/** Reads on until the end, or the error, and returns the bytes of all parts. */
function readOn(reader: MessageReader, pieces: Buffer[]): WebSocketError | undefined {
  try {
    for (let item = reader.next(); item !== undefined; item = reader.next()) pieces.push((item as MessagePart).payload);
    return undefined;
  } catch (error) {
    return error as WebSocketError;
  }
}

describe('A decompressor that is released inside a message', () => {
  for (const [what, fragment] of [
    ['of one large frame', 60_000],
    ['of many fragments', 300],
  ] as const) {
    it(`fails, and returns no byte that was not sent: a message ${what}, read in parts`, () => {
      const wrong: number[] = [];
      const codes = new Set<string | undefined>();
      for (let seed = 0; seed < 200; seed++) {
        const dice = new Dice(seed);
        const data = sourceOf(dice);
        const bytes = framesOf(compressed(data, dice), fragment);
        const reader = readerOfParts();
        // Without the last byte, so that the frame is not read as a whole.
        reader.feed(bytes.subarray(0, -1));
        const pieces: Buffer[] = [];
        for (let left = 2 + dice.roll(6); left > 0; left--) pieces.push((reader.next() as MessagePart).payload);
        reader.release();
        codes.add(readOn(reader, pieces)?.code);
        const received = Buffer.concat(pieces);
        if (!data.subarray(0, received.length).equals(received)) wrong.push(seed);
      }
      expect(wrong, 'seeds for which it returned bytes that were not sent').to.deep.equal([]);
      expect([...codes]).to.deep.equal(['WS_ERR_TRUNCATED']);
    });
  }

  it('can be used for the next message if it is released between two messages', () => {
    const dice = new Dice(1);
    const reader = readerOfParts();
    for (let i = 0; i < 3; i++) {
      const data = sourceOf(dice);
      reader.feed(framesOf(compressed(data, dice), 400));
      const pieces: Buffer[] = [];
      expect(readOn(reader, pieces)).to.equal(undefined);
      expect(Buffer.concat(pieces).equals(data)).to.equal(true);
      reader.release();
    }
  });
});
