import type { ByteSink } from '../contracts';

const slabSize = 64 * 1024;
const noBytes = Buffer.alloc(0);

/** The slab that all connections write into, one after the other, and the number of its used bytes. */
let slab = Buffer.allocUnsafeSlow(slabSize);
let used = 0;

/**
 * Encoded bytes that wait to be taken. Small frames are written one after the other into a slab that all connections
 * share, so the messages of one tick are sent in one write, and an idle connection needs no memory for them. No byte of
 * a slab is written twice. When a slab is full, a new one is allocated; the old one is collected when the last write
 * that refers to it is done.
 */
export class OutputQueue implements ByteSink {
  bytes: Buffer = noBytes;
  #start = 0;
  #end = 0;
  #pieces: Uint8Array[] = [];
  #pieceLength = 0;

  /** The number of bytes that wait to be taken. */
  get length(): number {
    return this.#pieceLength + this.#end - this.#start;
  }

  /** The number of pieces that `take()` would return. */
  get pieces(): number {
    return this.#pieces.length + (this.#end > this.#start ? 1 : 0);
  }

  reserve(size: number): number {
    if (this.bytes === slab && this.#end === used && used + size <= slabSize) return used;
    this.#closeRegion();
    if (used + size > slabSize) {
      slab = Buffer.allocUnsafeSlow(Math.max(slabSize, size));
      used = 0;
    }
    this.bytes = slab;
    this.#start = this.#end = used;
    return used;
  }

  commit(size: number): void {
    this.#end += size;
    used = this.#end;
  }

  append(bytes: Uint8Array): void {
    this.#closeRegion();
    this.#pieces.push(bytes);
    this.#pieceLength += bytes.length;
  }

  /** Returns the bytes in order, and removes them. */
  take(): readonly Uint8Array[] {
    this.#closeRegion();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceLength = 0;
    return pieces;
  }

  /** Returns the bytes and removes them, if they are in one piece; otherwise returns undefined. */
  takeOnly(): Uint8Array | undefined {
    if (this.pieces !== 1) return undefined;
    const piece = this.#pieces.pop();
    if (piece !== undefined) {
      this.#pieceLength = 0;
      return piece;
    }
    const bytes = this.bytes.subarray(this.#start, this.#end);
    this.#forgetRegion();
    return bytes;
  }

  #closeRegion(): void {
    if (this.#end > this.#start) {
      this.#pieces.push(this.bytes.subarray(this.#start, this.#end));
      this.#pieceLength += this.#end - this.#start;
    }
    this.#forgetRegion();
  }

  #forgetRegion(): void {
    this.#start = this.#end = 0;
    this.bytes = noBytes;
  }
}
