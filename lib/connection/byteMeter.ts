import { type CompressionCounter, type ConnectionCounters, noCounters } from '../framing/counters';

/** Counts what goes over a byte stream, and how long it was not read. */
export class ByteMeter {
  received = 0;
  sent = 0;
  /** What `hasHeard()` has told of. */
  #heard = 0;
  #pausedTime = 0;
  #pausedSince: number | undefined;

  /** Whether bytes have come since this was last asked. */
  hasHeard(): boolean {
    const heard = this.received > this.#heard;
    this.#heard = this.received;
    return heard;
  }

  paused(): void {
    this.#pausedSince ??= performance.now();
  }

  resumed(): void {
    this.#pausedTime = this.pausedTime;
    this.#pausedSince = undefined;
  }

  /** Milliseconds between each `paused()` and its `resumed()`, up to now. */
  get pausedTime(): number {
    return this.#pausedTime + (this.#pausedSince === undefined ? 0 : performance.now() - this.#pausedSince);
  }

  /** All of it, beside what has been compressed and decompressed. */
  counters(
    compression: Readonly<CompressionCounter> | undefined,
    decompression: Readonly<CompressionCounter> | undefined,
  ): ConnectionCounters {
    return {
      ...noCounters,
      bytesReceived: this.received,
      bytesSent: this.sent,
      bytesBeforeCompression: compression?.before ?? 0,
      bytesAfterCompression: compression?.after ?? 0,
      bytesBeforeDecompression: decompression?.before ?? 0,
      bytesAfterDecompression: decompression?.after ?? 0,
      pausedTime: this.pausedTime,
    };
  }
}
