import type { ByteSink } from '../contracts';

const slabSize = 64 * 1024;
const noBytes = Buffer.alloc(0);

/** The slab that every connection writes into, one behind the other, and how much of it is used. */
let slab = Buffer.allocUnsafeSlow(slabSize);
let used = 0;

/**
 * Encoded bytes on their way out. Small frames stand side by side in a slab shared by all connections, so the messages
 * of one tick leave in one write, and an idle connection owns no memory for it. A slab is never written twice: when it is
 * full a new one is taken, and the last write that refers to the old one frees it.
 */
export class OutputQueue implements ByteSink {
  bytes: Buffer = noBytes;
  #start = 0;
  #end = 0;
  #pieces: Uint8Array[] = [];
  #pieceLength = 0;

  /** Bytes waiting to be taken. */
  get length(): number {
    return this.#pieceLength + this.#end - this.#start;
  }

  /** In how many pieces they would be taken. */
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

  /** Hands over what was written, in order, and is empty again. */
  take(): readonly Uint8Array[] {
    this.#closeRegion();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceLength = 0;
    return pieces;
  }

  /** The same for the common case of one piece, without a list; undefined in every other case. */
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
