import { readUtf8 } from './utf8';

/**
 * The most bytes that are allocated because of a frame header, before the payload is received. The rest of the
 * announced length is allocated while it is received, so a peer that announces much and sends little costs little
 * memory.
 */
const trustedSize = 256 * 1024;

/**
 * The most that is allocated for announced bytes, as a multiple of the received bytes. Memory that was never written to
 * takes no physical page, and each step of growth copies all received bytes: with 2 instead of 8, a message of 16 MiB
 * takes 50 % more time.
 */
const trust = 8;

const noBytes: Buffer = Buffer.alloc(0);

/**
 * The sizes of the pieces of memory that are kept for later messages; the second is the default of `maxMessageSize`.
 */
const spareSizes = [256 * 1024, 2 * 1024 * 1024] as const;

/**
 * Memory that is used again for later text messages, one Buffer for each size: a text message is delivered as a string,
 * so its bytes are free again. This saves an eighth of the time of a message of 64 KiB, and half of the time of one of
 * 1 MiB.
 */
const spares: Buffer[] = spareSizes.map(() => noBytes);

/**
 * The bytes of a message that is not received in one piece. Fragments and parts of frames are joined in one growing
 * Buffer, so a fragment takes no memory beyond its bytes, even if it is small.
 */
export class MessageBuffer {
  #bytes = noBytes;
  #length = 0;
  /** The sum of the lengths in all frame headers so far. */
  #announced = 0;
  readonly #text: boolean;

  /** @param text whether the message will be read with `toText()`, and not with `toBuffer()` */
  constructor(text: boolean) {
    this.#text = text;
  }

  get length(): number {
    return this.#length;
  }

  /** Announces the payload length of a frame header, so that the right size is allocated once, at the first byte. */
  expect(size: number): void {
    this.#announced = this.#length + size;
  }

  append(source: Buffer, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#bytes.length) this.#grow(length);
    source.copy(this.#bytes, this.#length, from, to);
    this.#length = length;
  }

  /** Returns the message, in memory that is at most a quarter larger than the message. */
  toBuffer(): Buffer {
    const message = this.#bytes.subarray(0, this.#length);
    return this.#length * 1.25 < this.#bytes.length ? Buffer.from(message) : message;
  }

  /**
   * Returns the message as text. The bytes must have been checked to be UTF-8. The MessageBuffer must not be used after
   * that.
   */
  toText(): string {
    const text = readUtf8(this.#bytes, 0, this.#length);
    keepSpare(this.#bytes);
    return text;
  }

  #grow(needed: number): void {
    const { length: size } = this.#bytes;
    // Grow by half at least, because with many small steps the same bytes would be copied many times.
    const wanted = this.#announced >= size * 1.5 ? this.#announced : doubled(size, needed);
    const trusted = Math.max(trustedSize, needed * trust);
    const larger = Math.max(needed, Math.min(wanted, trusted));
    const bytes = this.#text ? takeSpare(larger) : Buffer.allocUnsafeSlow(larger);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    if (this.#text) keepSpare(this.#bytes);
    this.#bytes = bytes;
  }
}

/**
 * Returns the double of a size; but at most the largest size that is kept for later messages, if that is enough. A
 * larger Buffer would not be kept.
 */
function doubled(size: number, needed: number): number {
  const largestSpare = spareSizes[1];
  return needed <= largestSpare ? Math.min(size * 2, largestSpare) : size * 2;
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
  // A small message must not use a Buffer of more than eight times its size.
  if (spare === undefined || size > spare.length || size * 8 < spare.length) return Buffer.allocUnsafeSlow(size);
  spares[index] = noBytes;
  return spare;
}
