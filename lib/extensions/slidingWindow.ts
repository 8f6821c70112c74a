/** The size of the smallest ring buffer in bytes. */
const smallest = 1024;

/**
 * The last decompressed bytes of a connection, up to the size of the peer's window. Messages may refer to them
 * (RFC 7692 §7.1.1), so a decompressor that was freed can be made again from them.
 */
export class SlidingWindow {
  readonly #size: number;
  /** A ring buffer, which grows up to `#size`. */
  #bytes = Buffer.alloc(0);
  #start = 0;
  #length = 0;

  /** @param size the most bytes that are kept */
  constructor(size: number) {
    this.#size = size;
  }

  get length(): number {
    return this.#length;
  }

  append(data: Buffer): void {
    const added = data.length > this.#size ? data.subarray(data.length - this.#size) : data;
    this.#makeRoom(added.length);
    const capacity = this.#bytes.length;
    const overflow = this.#length + added.length - capacity;
    if (overflow > 0) {
      this.#start = (this.#start + overflow) % capacity;
      this.#length -= overflow;
    }
    const end = (this.#start + this.#length) % capacity;
    const beforeWrap = added.copy(this.#bytes, end);
    added.copy(this.#bytes, 0, beforeWrap);
    this.#length += added.length;
  }

  /** Returns a copy of the bytes, oldest first. */
  toBuffer(): Buffer {
    const end = this.#start + this.#length;
    const afterWrap = this.#bytes.subarray(0, Math.max(0, end - this.#bytes.length));
    return Buffer.concat([this.#bytes.subarray(this.#start, end), afterWrap]);
  }

  #makeRoom(added: number): void {
    const needed = Math.min(this.#length + added, this.#size);
    if (needed <= this.#bytes.length) return;
    const doubled = Math.max(smallest, this.#bytes.length * 2, needed);
    const bytes = Buffer.allocUnsafeSlow(Math.min(this.#size, doubled));
    this.toBuffer().copy(bytes);
    this.#bytes = bytes;
    this.#start = 0;
  }
}
