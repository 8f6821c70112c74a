import type { Duplex } from 'node:stream';
import type { Outgoing } from '../contracts';
import { WebSocketError } from '../errors';
import type { CompressionCounter } from '../framing/counters';
import type { MessageWriter } from '../framing/messageWriter';
import { flushLater } from './endOfTick';
import { callAll, PacedWriter, type WriteCallback } from './pacedWriter';

/** The writer of messages, as far as the output uses it. */
export type OutputWriter = Omit<MessageWriter, 'idle' | 'pieces'>;

/** Lends a writer to the output. A FramingPool does. */
export interface WriterPool {
  takeWriter(): OutputWriter;
  /** Takes a writer back if it is idle. Returns the writer that the output goes on with, if any. */
  returnWriter(writer: OutputWriter): OutputWriter | undefined;
}

/** What stands above the output of a connection. */
export interface OutputOwner {
  /** `offer()` takes items again. */
  outputDrained(): void;
  /** The byte stream has enough: bytes wait until it emits 'drain'. */
  outputStalled(): void;
  /** A message that was taken cannot be sent after all. */
  outputFailed(error: WebSocketError): void;
}

/** Bytes of frames that are passed on at once, even if the tick is not over. */
const batchSize = 64 * 1024;

/** The half of a connection that writes: from messages to bytes, as fast as the byte stream takes them. */
export class ByteOutput {
  /** Bytes that were written to the byte stream. */
  sent = 0;
  readonly #stream: Duplex;
  readonly #pool: WriterPool;
  readonly #owner: OutputOwner;
  readonly #largestWrite: number;
  /** There once there was more than the byte stream should have at once. */
  #pacer: PacedWriter | undefined;
  /** There while something goes on (see FramingPool). */
  #writer: OutputWriter | undefined;
  /** What is sent leaves with `release()`, not at the end of the tick. */
  #held = false;
  #flushScheduled = false;
  /** The byte stream has more than it can take at the moment. */
  #full = false;
  /** `'whenSent'`: the byte stream is to be ended when everything in hand has left; `'over'`: it was ended, or takes no more bytes. */
  #end: 'open' | 'whenSent' | 'over' = 'open';
  /** The callbacks of what has been encoded and not been written. */
  #callbacks: WriteCallback[] | undefined;
  /** The callbacks of what was written and has not left, oldest first. */
  #unsettled: WriteCallback[][] | undefined;

  /** @param largestWrite bytes that the byte stream is given at a time */
  constructor(stream: Duplex, pool: WriterPool, largestWrite: number, owner: OutputOwner) {
    this.#stream = stream;
    this.#pool = pool;
    this.#largestWrite = largestWrite;
    this.#owner = owner;
  }

  /** Bytes that were sent and have not reached the operating system. */
  get bufferedAmount(): number {
    const writer = this.#writer;
    const encoded = writer === undefined ? 0 : writer.length + writer.waitingBytes;
    return encoded + (this.#pacer?.length ?? 0) + this.#stream.writableLength;
  }

  /** Whether `offer()` takes nothing for now. */
  get isFull(): boolean {
    return this.#full || this.#writer?.busy === true;
  }

  /** Whether the byte stream can still take bytes. */
  get isWritable(): boolean {
    return !this.#isOver && this.#stream.writable;
  }

  get #isOver(): boolean {
    return this.#end === 'over';
  }

  get compression(): Readonly<CompressionCounter> | undefined {
    return this.#writer?.compression;
  }

  /**
   * Sends an item, unless the byte stream is full: then it returns false, and `owner.outputDrained()` says when to try again.
   * @param callback called once, when the item has left to the operating system, or with the error
   */
  offer(item: Outgoing, callback?: WriteCallback): boolean {
    if (this.isFull) return false;
    this.send(item, callback);
    return true;
  }

  /** Sends an item, full or not. */
  send(item: Outgoing, callback?: WriteCallback): void {
    if (this.#isOver) {
      if (callback !== undefined) process.nextTick(callback, notOpen());
      return;
    }
    this.#writer ??= this.#pool.takeWriter();
    const writer = this.#writer;
    writer.write(item);
    if (callback !== undefined) {
      this.#callbacks ??= [];
      this.#callbacks.push(callback);
    }
    if (writer.busy && writer.onReady === undefined) {
      writer.onReady = () => this.#encoded();
      writer.onFailure = (error) => this.#owner.outputFailed(error);
    }
    this.#flushInTime();
  }

  /** From now on what is sent leaves together, when `release()` is called. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#flush();
  }

  /** The byte stream takes bytes again. */
  drained(): void {
    if (this.#isOver || this.#pacer?.resume() === false) return;
    this.#full = false;
    if (this.#end === 'whenSent') this.end();
    else if (this.#writer?.busy !== true) this.#owner.outputDrained();
  }

  /** Ends the byte stream when everything that was sent has left. */
  end(): void {
    if (this.#isOver) return;
    if (this.#writer?.busy !== true) this.#flush();
    const isSent = this.#writer?.busy !== true && (this.#pacer?.length ?? 0) === 0;
    this.#end = isSent ? 'over' : 'whenSent';
    if (isSent) this.#stream.end();
  }

  /** Writes nothing more. */
  stop(): void {
    this.#end = 'over';
  }

  /** The byte stream is gone: what has not left will not. */
  closed(): void {
    this.#end = 'over';
    this.#writer?.release();
    const callbacks = [...(this.#unsettled ?? []), this.#callbacks ?? []].flat();
    this.#unsettled = this.#callbacks = undefined;
    if (callbacks.length > 0) callAll(callbacks, notOpen());
  }

  /** Writes what was sent in this tick. */
  flushScheduled(): void {
    this.#flushScheduled = false;
    this.#flush();
  }

  #flushInTime(): void {
    if ((this.#writer?.length ?? 0) >= batchSize) this.#flush();
    else if (!this.#held && !this.#flushScheduled) {
      this.#flushScheduled = true;
      flushLater(this);
    }
  }

  #flush(): void {
    const writer = this.#writer;
    if (writer === undefined || this.#isOver) return;
    if (writer.length > 0) this.#writePieces(writer);
    // A version without Close frames has no bytes for one.
    else if (!writer.busy) this.#settleLater()?.();
    if (this.#isOver) return;
    this.#writer = this.#pool.returnWriter(writer);
  }

  #writePieces(writer: OutputWriter): void {
    // What waits for another thread has its callbacks called with what is encoded behind it.
    const callback = writer.busy ? undefined : this.#settleLater();
    const only = writer.takeOnly();
    if (only !== undefined) return this.#write(only, callback);
    const pieces = writer.take();
    // A header and its large payload leave in one system call.
    if (pieces.length > 1) this.#stream.cork();
    pieces.forEach((piece, index) => {
      this.#write(piece, index === pieces.length - 1 ? callback : undefined);
    });
    if (pieces.length > 1) this.#stream.uncork();
  }

  #write(bytes: Uint8Array, callback: WriteCallback | undefined): void {
    this.sent += bytes.length;
    if (bytes.length > this.#largestWrite) this.#pacer ??= new PacedWriter(this.#stream, this.#largestWrite);
    if (this.#writeNow(bytes, callback)) return;
    if (!this.#full) {
      this.#full = true;
      this.#owner.outputStalled();
    }
  }

  #writeNow(bytes: Uint8Array, callback: WriteCallback | undefined): boolean {
    if (this.#pacer !== undefined) return this.#pacer.write(bytes, callback);
    return callback === undefined ? this.#stream.write(bytes) : this.#stream.write(bytes, callback);
  }

  /** Makes one callback of those that belong to the bytes in hand; undefined if there are none. */
  #settleLater(): WriteCallback | undefined {
    const batch = this.#callbacks;
    if (batch === undefined) return undefined;
    this.#callbacks = undefined;
    this.#unsettled ??= [];
    this.#unsettled.push(batch);
    return (error) => {
      const index = this.#unsettled?.indexOf(batch) ?? -1;
      // The byte stream has closed before, and they have been called.
      if (index === -1) return;
      this.#unsettled?.splice(index, 1);
      callAll(batch, error ? notOpen(error) : undefined);
    };
  }

  /** The message that was compressed on another thread is encoded, with what had to wait for it. */
  #encoded(): void {
    if (this.#isOver) return;
    this.#flushInTime();
    if (this.#end === 'whenSent') this.end();
    else if (!this.#full) this.#owner.outputDrained();
  }
}

function notOpen(cause?: Error): WebSocketError {
  return new WebSocketError('WS_ERR_NOT_OPEN', 'the connection ended before the message was sent', cause && { cause });
}
