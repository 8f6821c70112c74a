/**
 * The most memory that a frame header alone makes us set aside. What the header promises beyond it is allocated as it
 * comes, so a peer that announces much and sends little costs little.
 */
const trustedSize = 256 * 1024;

/**
 * A message that does not come in one piece: fragments and parts of frames are joined here in one growing buffer, so a
 * fragment costs its bytes and nothing else, however small it is.
 */
export class MessageBuffer {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Makes ready for `size` more bytes that a frame header has announced. */
  expect(size: number): void {
    this.#grow(this.#length + size);
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

  /** The message as text, already validated; invalid bytes would become replacement characters. */
  toText(): string {
    return this.#bytes.toString('utf8', 0, this.#length);
  }

  #grow(wanted: number): void {
    if (wanted <= this.#bytes.length) return;
    const generous = Math.max(trustedSize, this.#length * 2);
    // A small buffer that grows step by step doubles, so that many tiny fragments are not copied over and over.
    const size = Math.max(Math.min(wanted, generous), Math.min(this.#bytes.length * 2, generous));
    const bytes = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
  }
}
