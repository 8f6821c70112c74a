import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Scenario } from './scenarios';

/** Messages for a scenario, and the frames that a client sends for them. */
export interface Payloads {
  readonly messages: readonly Buffer[];
  readonly frames: readonly Buffer[];
}

const key = [0x37, 0xfa, 0x21, 0x3d];
const tail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

export function createPayloads({ size, kind, deflate }: Scenario): Payloads {
  const messages = deflate
    ? Array.from({ length: 64 }, (_, seed) => createJson(size, seed))
    : [Buffer.alloc(size, 'a WebSocket message of some length; ')];
  const first = (kind === 'text' ? 0x81 : 0x82) | (deflate ? 0x40 : 0);
  const frames = messages.map((message) => createFrame(first, deflate ? compressAlone(message) : message));
  return { messages, frames };
}

/** Do the answers, one after the other, say what was sent? Their compression may refer to earlier answers. */
export function checkAnswers(answers: readonly Answer[], messages: readonly Buffer[]): void {
  const compressed = answers.filter((answer) => answer.compressed);
  const blocks = compressed.flatMap(({ payload }) => [payload, tail]);
  const text =
    compressed.length === 0
      ? Buffer.concat(answers.map(({ payload }) => payload))
      : inflateRawSync(Buffer.concat(blocks), { finishFlush: constants.Z_SYNC_FLUSH });
  if (!text.equals(Buffer.concat(messages))) throw new Error('The answers are not what was sent');
}

export interface Answer {
  readonly compressed: boolean;
  readonly payload: Buffer;
}

/** Cuts the frames of a server out of what has come; `rest` is the beginning of the next. */
export function readAnswers(bytes: Buffer): { answers: Answer[]; rest: Buffer } {
  const answers: Answer[] = [];
  let rest = bytes;
  for (;;) {
    const length = (rest[1] as number) & 0x7f;
    const head = length === 126 ? 4 : length === 127 ? 10 : 2;
    if (rest.length < head) return { answers, rest };
    const size = length === 126 ? rest.readUInt16BE(2) : length === 127 ? rest.readUInt32BE(6) : length;
    if (rest.length < head + size) return { answers, rest };
    answers.push({ compressed: ((rest[0] as number) & 0x40) !== 0, payload: rest.subarray(head, head + size) });
    rest = rest.subarray(head + size);
  }
}

/** A document of about this size, as an application sends one after the other: the same names, other values. */
function createJson(size: number, seed: number): Buffer {
  const items: object[] = [];
  const document = () => JSON.stringify({ type: 'prices', sequence: 100_000 + seed, items });
  for (let i = 0; document().length < size; i++) {
    const random = ((seed * 7919 + i * 104_729) ^ (seed << 7)) % 1_000_003;
    items.push({
      id: `item-${random % 997}`,
      price: (random % 99_991) / 100,
      quantity: random % 37,
      open: random % 2 === 0,
    });
  }
  return Buffer.from(document());
}

/** Refers to no other message, so that it can be sent on any connection at any time. */
function compressAlone(message: Buffer): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -tail.length);
}

function createFrame(first: number, payload: Buffer): Buffer {
  const size = payload.length;
  const head =
    size < 126
      ? [first, 0x80 | size]
      : size < 65536
        ? [first, 0x80 | 126, size >> 8, size & 255]
        : [first, 0x80 | 127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
  const masked = payload.map((byte, i) => byte ^ (key[i & 3] as number));
  return Buffer.concat([Buffer.from(head), Buffer.from(key), masked]);
}
