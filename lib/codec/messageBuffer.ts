import { readUtf8 } from './utf8';

/**
 * The most memory that a frame header alone makes us set aside. What the header promises beyond it is allocated as it
 * comes, so a peer that announces much and sends little costs little.
 */
const trustedSize = 256 * 1024;

/**
 * How many times the bytes that have come may be set aside for those that are announced. Memory that nothing was written to takes
 * no page of the machine, and each step copies all that came before: with 2, a message of 16 MiB takes half as long again.
 */
const trust = 8;

const noBytes: Buffer = Buffer.alloc(0);

/** The largest messages whose memory is kept for the next one; the second is the limit that servers have by default. */
const spareSizes = [256 * 1024, 2 * 1024 * 1024] as const;

/**
 * The memory of text messages, for the next ones, a piece for each size: a text is handed out as a string, so its bytes are free
 * again. It saves an eighth of the cost of a 64 KiB message, most of it garbage collection, and half of that of 1 MiB, which is in
 * memory that nobody has touched.
 */
const spares: Buffer[] = spareSizes.map(() => noBytes);

/**
 * A message that does not come in one piece: fragments and parts of frames are joined here in one growing buffer, so a
 * fragment costs its bytes and nothing else, however small it is.
 */
export class MessageBuffer {
  #bytes = noBytes;
  #length = 0;
  /** The length that the frame headers so far add up to. */
  #announced = 0;
  readonly #text: boolean;

  /** @param text whether it will be taken with `toText()`, and not with `toBuffer()` */
  constructor(text: boolean) {
    this.#text = text;
  }

  get length(): number {
    return this.#length;
  }

  /** Says how many more bytes a frame header has announced, so that the right size is allocated once, at the first of them. */
  expect(size: number): void {
    this.#announced = this.#length + size;
  }

  append(source: Buffer, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#bytes.length) this.#grow(length);
    source.copy(this.#bytes, this.#length, from, to);
    this.#length = length;
  }

  /** The message. Its memory is no larger than the message by more than a quarter. */
  toBuffer(): Buffer {
    const message = this.#bytes.subarray(0, this.#length);
    return this.#length * 1.25 < this.#bytes.length ? Buffer.from(message) : message;
  }

  /** The message as text, already validated; invalid bytes would become replacement characters. This is its last use. */
  toText(): string {
    const text = readUtf8(this.#bytes, 0, this.#length);
    keepSpare(this.#bytes);
    return text;
  }

  #grow(needed: number): void {
    const { length: size } = this.#bytes;
    // At least half as much again, however it comes: many small steps must not copy the same bytes over and over.
    const wanted = this.#announced >= size * 1.5 ? this.#announced : size * 2;
    const trusted = Math.max(trustedSize, needed * trust);
    const larger = Math.max(needed, Math.min(wanted, trusted));
    const bytes = this.#text ? takeSpare(larger) : Buffer.allocUnsafeSlow(larger);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    if (this.#text) keepSpare(this.#bytes);
    this.#bytes = bytes;
  }
}

function spareFor(size: number): number {
  return spareSizes.findIndex((largest) => size <= largest);
}

function keepSpare(bytes: Buffer): void {
  const index = spareFor(bytes.length);
  if (bytes.length > (spares[index]?.length ?? Number.POSITIVE_INFINITY)) spares[index] = bytes;
}

function takeSpare(size: number): Buffer {
  const index = spareFor(size);
  const spare = spares[index];
  // Nor for a message that would pin eight times its size.
  if (spare === undefined || size > spare.length || size * 8 < spare.length) return Buffer.allocUnsafeSlow(size);
  spares[index] = noBytes;
  return spare;
}
