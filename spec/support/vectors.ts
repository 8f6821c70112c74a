import type { CompressedMessage, Decoder, Incoming, Role } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';

/**
 * Bytes from hexadecimal digits, in memory of their own. White space may stand anywhere, and a comment from `#` to the end
 * of its line.
 */
export function hex(text: string): Buffer {
  const digits = text.replace(/#.*$/gm, '').replace(/\s+/g, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new Error(`Not hexadecimal bytes: ${text}`);
  return Buffer.from(Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)).buffer);
}

/** The masking key of RFC 6455 §5.7. */
export const exampleKey = hex('37fa213d');

export interface Wire {
  readonly bytes: Buffer;
  /** How many of the bytes a decoder must have seen to refuse them; undefined if they are good. */
  readonly refusedAfter: number | undefined;
}

/**
 * Frames as one side of a connection sends them. There is one frame to a line, its header and its payload divided by `|`:
 *
 *     01 03 | 48656c   # the beginning of a text
 *     80 02 | 6c6f     # its end
 *
 * A `!` stands behind the byte at which a decoder must refuse the frame. What a client sends is masked with `exampleKey`:
 * the header gets the mask bit and the key, so every vector serves both directions.
 */
export function wire(text: string, sender: Role): Wire {
  const pieces: Buffer[] = [];
  let length = 0;
  let refusedAfter: number | undefined;
  const add = (part: string, change: (bytes: Buffer) => Buffer = (bytes) => bytes) => {
    const mark = part.indexOf('!');
    if (mark !== -1) refusedAfter = length + hex(part.slice(0, mark)).length;
    const bytes = change(hex(part.replace('!', '')));
    pieces.push(bytes);
    length += bytes.length;
  };
  for (const line of text.replace(/#.*$/gm, '').split('\n')) {
    if (line.trim() === '') continue;
    const [header = '', payload = ''] = line.split('|');
    if (sender === 'server') {
      add(header);
      add(payload);
    } else {
      add(header, withMaskBit);
      pieces.push(exampleKey);
      length += exampleKey.length;
      add(payload, (bytes) => masked(bytes, exampleKey));
    }
  }
  return { bytes: Buffer.concat(pieces), refusedAfter };
}

function withMaskBit(header: Buffer): Buffer {
  const bytes = Buffer.from(header);
  if (bytes.length > 1) bytes.writeUInt8(bytes.readUInt8(1) | 0x80, 1);
  return bytes;
}

/** RFC 6455 §5.3, as simple as it can be said. */
export function masked(payload: Uint8Array, key: Uint8Array): Buffer {
  return Buffer.from(payload.map((byte, i) => byte ^ (key[i % 4] as number)));
}

/** The other end. */
export function peerOf(role: Role): Role {
  return role === 'server' ? 'client' : 'server';
}

/** Vectors longer than this are not cut at every byte, but near their ends, where the headers are. */
const longVector = 400;

/**
 * All the ways in which a network may cut bytes that matter: not at all, into two pieces at every position, and into single
 * bytes. Every piece has memory of its own.
 */
export function* splits(bytes: Buffer): Generator<{ readonly how: string; readonly chunks: Buffer[] }> {
  yield { how: 'in one chunk', chunks: [copy(bytes)] };
  for (let at = 1; at < bytes.length; at++) {
    if (at > longVector / 2 && at < bytes.length - longVector / 2) continue;
    yield { how: `cut after ${at} bytes`, chunks: [copy(bytes.subarray(0, at)), copy(bytes.subarray(at))] };
  }
  const size = bytes.length > longVector ? 1000 : 1;
  yield { how: `in chunks of ${size}`, chunks: [...chunksOf(bytes, size)] };
}

export function* chunksOf(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield copy(bytes.subarray(at, at + size));
}

function copy(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

/** What a decoder makes of some bytes. */
export interface Outcome {
  readonly items: (Incoming | CompressedMessage)[];
  /** `WS_ERR_… 1002`: the code of the error and its close code; undefined without one. */
  readonly refusal: string | undefined;
  /** How many bytes had been fed when the error came. */
  readonly refusedAfter: number | undefined;
}

/** Feeds a decoder, chunk by chunk and, if `end`, to the end. */
export function decode(decoder: Decoder, chunks: Iterable<Buffer>, { end = true } = {}): Outcome {
  const items: (Incoming | CompressedMessage)[] = [];
  let fed = 0;
  try {
    for (const chunk of chunks) {
      fed += chunk.length;
      decoder.feed(chunk);
      for (let item = decoder.next(); item !== undefined; item = decoder.next()) items.push(item);
    }
    if (end) decoder.finish();
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    return { items, refusal: `${error.code} ${error.closeCode}`, refusedAfter: fed };
  }
  return { items, refusal: undefined, refusedAfter: undefined };
}

/** Numbers that look random and are the same for the same seed. */
export class Dice {
  #state: number;

  readonly seed: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** An integer from 0 to `sides - 1`. */
  roll(sides: number): number {
    // Mulberry32, a generator of one word.
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.roll(choices.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.roll(256)));
  }
}

/**
 * Runs a check with dice that fall differently each time. When it fails, the error says how to get the same again:
 * the variable SEED.
 */
export function withDice(check: (dice: Dice) => void): void {
  const { SEED } = process.env;
  const dice = new Dice(SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED));
  try {
    check(dice);
  } catch (error) {
    if (error instanceof Error) error.message = `With SEED=${dice.seed}: ${error.message}`;
    throw error;
  }
}
