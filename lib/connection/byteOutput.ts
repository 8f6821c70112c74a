import type { Duplex } from 'node:stream';
import type { Outgoing } from '../contracts';
import { WebSocketError } from '../errors';
import type { CompressionCounter } from '../framing/counters';
import type { MessageWriter } from '../framing/messageWriter';
import { flushLater } from './endOfTick';
import { callAll, PacedWriter, type WriteCallback } from './pacedWriter';
import { hasReachedSystem, UnsentWrites } from './unsentWrites';

/** The methods of a MessageWriter that the output uses. */
export type OutputWriter = Omit<MessageWriter, 'idle' | 'pieces'>;

/** Lends writers to outputs. Implemented by FramingPool. */
export interface WriterPool {
  takeWriter(): OutputWriter;
  /**
   * Takes a writer back if it is idle, and returns undefined; otherwise returns the same writer, which the output
   * keeps.
   */
  returnWriter(writer: OutputWriter): OutputWriter | undefined;
}

/** The owner of a ByteOutput: a ByteChannel. */
export interface OutputOwner {
  readonly stream: Duplex;
  readonly pool: WriterPool;
  /** Whether messages that were received together are being delivered, one after the other. */
  isReading(): boolean;
  /** Called when `offer()` accepts items again after it has returned false. */
  outputDrained(): void;
  /** Called when a write to the byte stream has returned false: bytes wait until it emits 'drain'. */
  outputStalled(): void;
  /** Called when a message that `offer()` has accepted cannot be encoded. */
  outputFailed(error: WebSocketError): void;
}

/** The callbacks of items whose bytes are written together. */
interface Batch {
  readonly callbacks: readonly WriteCallback[];
  /** Whether the byte stream passed the bytes on to the operating system at once. */
  hasLeft: boolean;
}

/** If so many bytes of frames are encoded, they are written at once and not at the end of the tick. */
const batchSize = 64 * 1024;

/**
 * The writing half of a connection: encodes messages and control frames, and writes the bytes to the byte stream with
 * backpressure.
 */
export class ByteOutput {
  /** Bytes that were written to the byte stream. */
  sent = 0;
  readonly #owner: OutputOwner;
  readonly #largestWrite: number;
  /** Made when more than `largestWrite` bytes have to be written at once for the first time. */
  #pacer: PacedWriter | undefined;
  /** Undefined while the connection is idle: the writer is then returned to the FramingPool. */
  #writer: OutputWriter | undefined;
  /** Whether encoded bytes are written by `release()` and not at the end of the tick. */
  #held = false;
  #flushScheduled = false;
  /** Whether the last write to the byte stream returned false, and it has not drained since. */
  #full = false;
  /**
   * `'whenSent'`: the byte stream will be ended when everything that was sent has been written; `'over'`: it was ended,
   * or accepts no more bytes; `'closed'`: it has closed.
   */
  #end: 'open' | 'whenSent' | 'over' | 'closed' = 'open';
  /** The callbacks of items that were encoded and have not been written to the byte stream. */
  #callbacks: WriteCallback[] | undefined;
  /** The items that were written to the byte stream and have not reached the operating system, oldest first. */
  #unsettled: Batch[] | undefined;
  /** Made by `watch()`, because in a hot path a callback for each write takes time. */
  #unsent: UnsentWrites | undefined;

  /** @param largestWrite most bytes of one write to the byte stream */
  constructor(largestWrite: number, owner: OutputOwner) {
    this.#largestWrite = largestWrite;
    this.#owner = owner;
  }

  get #stream(): Duplex {
    return this.#owner.stream;
  }

  /** Bytes that were sent and have not reached the operating system. */
  get bufferedAmount(): number {
    const writer = this.#writer;
    const encoded = writer === undefined ? 0 : writer.length + writer.waitingBytes;
    return encoded + (this.#pacer?.length ?? 0) + this.#stream.writableLength;
  }

  /** Whether `offer()` returns false at the moment. */
  get isFull(): boolean {
    return this.#full || this.#writer?.busy === true;
  }

  /** Whether bytes can still be written to the byte stream. */
  get isWritable(): boolean {
    return !this.#isOver && this.#stream.writable;
  }

  /**
   * Whether bytes that were sent have not reached the operating system. When the byte stream has closed, these bytes
   * are lost. False before `watch()`.
   */
  get hasUnsent(): boolean {
    return this.#unsent?.any === true;
  }

  get #isOver(): boolean {
    return this.#end === 'over' || this.#end === 'closed';
  }

  get compression(): Readonly<CompressionCounter> | undefined {
    return this.#writer?.compression;
  }

  /**
   * Sends an item. If the byte stream is full or has closed, does nothing and returns false; `owner.outputDrained()` is
   * called when the item can be offered again.
   * @param callback called once: when the bytes of the item have reached the operating system, or with an error
   */
  offer(item: Outgoing, callback?: WriteCallback): boolean {
    if (this.isFull || this.#end === 'closed') return false;
    this.send(item, callback);
    return true;
  }

  /** Sends an item even if the byte stream is full. */
  send(item: Outgoing, callback?: WriteCallback): void {
    if (this.#isOver) {
      if (!isControlFrame(item)) this.#unsent?.addRefused();
      if (callback !== undefined) process.nextTick(callback, notOpen());
      return;
    }
    this.#writer ??= this.#owner.pool.takeWriter();
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

  /**
   * Notes from now on whether the bytes that are sent, and those that wait, reach the operating system: see
   * `hasUnsent`.
   */
  watch(): void {
    if (this.#unsent !== undefined) return;
    const stream = this.#stream;
    const waits = (this.#pacer?.length ?? 0) + stream.writableLength > 0;
    this.#unsent = new UnsentWrites(stream);
    if (!waits) return;
    // The writes that wait have no callback, so an empty one is added behind them. Its callback is called after theirs.
    // Without allowHalfOpen, Node allows no write after the end of the readable side, but ends the writable side itself.
    if (stream.allowHalfOpen && this.isWritable) this.#writeNow(Buffer.alloc(0), undefined);
    else stream.once('finish', this.#unsent.add());
  }

  /** Collects what is sent from now on until `release()` writes all of it. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#flush();
  }

  /** Called when the byte stream has emitted 'drain'. */
  drained(): void {
    if (this.#isOver || this.#pacer?.resume() === false) return;
    this.#full = false;
    if (this.#end === 'whenSent') this.end();
    else if (this.#writer?.busy !== true) this.#owner.outputDrained();
  }

  /** Ends the byte stream when everything that was sent has been written to it. */
  end(): void {
    if (this.#isOver) return;
    this.#flush();
    const isSent = this.#writer?.busy !== true && (this.#pacer?.length ?? 0) === 0;
    this.#end = isSent ? 'over' : 'whenSent';
    if (isSent) this.#stream.end();
  }

  /** Writes nothing more. */
  stop(): void {
    this.#end = 'over';
  }

  /** Called when the byte stream has closed: fails everything that has not reached the operating system. */
  closed(): void {
    this.#end = 'closed';
    if (this.bufferedAmount > 0) this.#unsent?.addRefused();
    this.#writer?.release();
    if (this.#unsettled === undefined && this.#callbacks === undefined) return;
    const written = (this.#unsettled ?? []).flatMap(({ callbacks }) => callbacks);
    const callbacks = [...written, ...(this.#callbacks ?? [])];
    this.#unsettled = this.#callbacks = undefined;
    if (callbacks.length > 0) callAll(callbacks, notOpen());
  }

  /** Writes what was sent in this tick. */
  flushScheduled(): void {
    // A `for await` loop takes the messages of one chunk in several steps, between which Node runs microtasks and ticks.
    // Its answers are sent in one write, as those of a listener are: the loop takes two thirds of the time.
    if (this.#owner.isReading()) return queueMicrotask(() => flushLater(this));
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
    else if (!writer.busy) this.#settleWithoutBytes();
    // If the byte stream passes the bytes on inside of write(), the program may send more, or end the output, before
    // write() returns. The writer was then returned by that call, and another connection may have it.
    if (this.#writer === writer) this.#writer = this.#owner.pool.returnWriter(writer);
  }

  #writePieces(writer: OutputWriter): void {
    // If a message is being compressed on another thread, its callback must wait for its bytes. #callbacks does not say
    // which callback belongs to which bytes, so all of them wait.
    const batch = writer.busy ? undefined : this.#newBatch();
    const callback = batch && ((error?: Error | null) => this.#written(batch, error));
    const only = writer.takeOnly();
    if (only !== undefined) this.#write(only, callback);
    else this.#writeAll(writer.take(), callback);
    if (batch !== undefined) batch.hasLeft = this.bufferedAmount === 0;
  }

  #writeAll(pieces: readonly Uint8Array[], callback: WriteCallback | undefined): void {
    // cork(), so that a header and its large payload are sent with one system call.
    this.#stream.cork();
    pieces.forEach((piece, index) => {
      this.#write(piece, index === pieces.length - 1 ? callback : undefined);
    });
    this.#stream.uncork();
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
    const done = this.#unsent === undefined ? callback : this.#unsent.add(callback);
    if (this.#pacer !== undefined) return this.#pacer.write(bytes, done);
    return done === undefined ? this.#stream.write(bytes) : this.#stream.write(bytes, done);
  }

  /** Returns the callbacks of the items that were encoded; undefined if there are none. */
  #newBatch(): Batch | undefined {
    if (this.#callbacks === undefined) return undefined;
    const batch: Batch = { callbacks: this.#callbacks, hasLeft: false };
    this.#callbacks = undefined;
    this.#unsettled ??= [];
    this.#unsettled.push(batch);
    return batch;
  }

  /**
   * Calls the callbacks of items that have no bytes, such as a Close in a version without Close frames, when the bytes in
   * front of them have reached the operating system.
   */
  #settleWithoutBytes(): void {
    const isLast = this.bufferedAmount === 0;
    const batch = this.#newBatch();
    if (batch === undefined) return;
    if (isLast) this.#settle(batch, true);
    else this.#writeNow(Buffer.alloc(0), (error) => this.#written(batch, error));
  }

  #written(batch: Batch, error: Error | null | undefined): void {
    this.#settle(batch, !error && (batch.hasLeft || hasReachedSystem(this.#stream, error)), error);
  }

  #settle(batch: Batch, hasLeft: boolean, error?: Error | null): void {
    const index = this.#unsettled?.indexOf(batch) ?? -1;
    // The byte stream had closed before this call, and closed() has called the callbacks.
    if (index === -1) return;
    this.#unsettled?.splice(index, 1);
    callAll(batch.callbacks, hasLeft ? undefined : notOpen(error ?? undefined));
  }

  /**
   * Called when the message that was compressed on another thread has been encoded, together with the items that waited
   * for it.
   */
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

function isControlFrame(item: Outgoing): boolean {
  return typeof item === 'object' && 'opcode' in item && ['ping', 'pong', 'close'].includes(item.opcode);
}
