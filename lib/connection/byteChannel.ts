import { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';
import type { Incoming, Outgoing, Transport } from '../contracts';
import { WebSocketError } from '../errors';
import { type ConnectionCounters, noCounters } from '../framing/counters';
import { framingPoolFor } from '../framing/framingPool';
import type { ConnectionSettings } from '../options';
import { ByteInput, type InputReceiver } from './byteInput';
import { ByteOutput, type OutputOwner } from './byteOutput';
import { discardUntilClosed, resetByteStream } from './byteStreamEnds';
import { type ByteStreamWatcher, watchByteStream } from './byteStreamEvents';
import { Deadline } from './deadline';
import type { WriteCallback } from './pacedWriter';

/** What stands above a channel: a connection. */
export interface ChannelOwner {
  /** Takes a message or a control frame. False stops the reading until `readOn()`. */
  receive(item: Incoming): boolean;
  /** Nothing more will come, and all that came has been received. Without an error, the peer has just ended its side. */
  inputEnded(error: WebSocketError | undefined): void;
  /** `offer()` takes items again. */
  drained(): void;
  /** Bytes have left. */
  progressed(): void;
  /** No byte has left for sendTimeout while bytes wait. */
  sendTimedOut(): void;
  /** A message that was taken cannot be sent after all. */
  sendingFailed(error: WebSocketError): void;
  /** The byte stream is gone; what came before may still have to be received. */
  disconnected(): void;
  /** The byte stream is gone, and everything that came has been received or discarded. */
  closed(): void;
}

/** Bytes that a TCP connection is given at a time: a write that lasts shows no progress before its end. */
const largestWrite = 256 * 1024;

/**
 * A byte stream as two halves that speak in messages and control frames: what `pipe()` between the stages would do, without its queues.
 * It is the asynchronous resource of the program's handler, for everything that happens on the connection.
 */
export class ByteChannel extends AsyncResource implements ByteStreamWatcher, InputReceiver, OutputOwner {
  readonly input: ByteInput;
  readonly output: ByteOutput;
  readonly #stream: Duplex;
  readonly #reset: Transport['reset'];
  readonly #settings: ConnectionSettings;
  readonly #owner: ChannelOwner;
  #streamError: Error | undefined;
  #finishing = false;
  #state: 'open' | 'disconnected' | 'closed' = 'open';
  /** Of bytes that wait for the byte stream (`sendTimeout`). */
  #sendDeadline: Deadline | undefined;

  constructor(transport: Transport, settings: ConnectionSettings, owner: ChannelOwner) {
    super('WebSocket');
    const { stream, reset } = transport;
    // Not the transport itself: its head would keep the read buffer of the handshake in memory.
    this.#stream = stream;
    this.#reset = reset;
    this.#settings = settings;
    this.#owner = owner;
    const pool = framingPoolFor(settings);
    this.input = new ByteInput(stream, pool, this);
    this.output = new ByteOutput(stream, pool, transport.largestWrite ?? largestWrite, this);
  }

  get isDisconnected(): boolean {
    return this.#state !== 'open';
  }

  /** Whether the byte stream is gone, and everything that came has been received or discarded. */
  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get isDestroyed(): boolean {
    return this.#stream.destroyed;
  }

  get counters(): ConnectionCounters {
    const { compression, sent } = this.output;
    const { decompression, received, pausedTime } = this.input;
    return {
      ...noCounters,
      bytesReceived: received,
      bytesSent: sent,
      bytesBeforeCompression: compression?.before ?? 0,
      bytesAfterCompression: compression?.after ?? 0,
      bytesBeforeDecompression: decompression?.before ?? 0,
      bytesAfterDecompression: decompression?.after ?? 0,
      pausedTime,
    };
  }

  /** @param head bytes that the handshake read too far */
  start(head: Buffer): void {
    const stream = this.#stream;
    // First of all the 'error' listener: a reset at any moment from here on is an event, not a crash.
    watchByteStream(stream, this, 'error', 'close');
    if (stream.destroyed) {
      process.nextTick(() => this.streamClosed());
      return;
    }
    watchByteStream(stream, this, 'drain', 'end');
    if ('aborted' in stream) watchByteStream(stream, this, 'aborted');
    if (stream.readableEnded) {
      // The peer had ended its side before this began.
      process.nextTick(() => {
        this.streamData(head);
        this.streamEnded();
      });
      return;
    }
    if (head.length > 0) stream.unshift(head);
    watchByteStream(stream, this, 'data');
    // The handshake may have read from it, and stopped.
    if (stream.isPaused()) stream.resume();
  }

  /** Sends an item, unless the byte stream is full or gone: then it returns false. */
  offer(item: Outgoing, callback?: WriteCallback): boolean {
    return this.#state === 'open' && this.output.offer(item, callback);
  }

  /** Looks at nothing more that comes. */
  discard(): void {
    this.input.discard();
    this.#closeIfOver();
  }

  /** Drops the byte stream now. */
  reset(): void {
    this.output.stop();
    resetByteStream({ stream: this.#stream, reset: this.#reset });
    this.discard();
  }

  /** Lets what was sent leave, then ends our side of the byte stream; if `afterPeer`, not before the peer has ended its own. */
  finish(afterPeer: boolean): void {
    const stream = this.#stream;
    if (!this.#finishing) discardUntilClosed({ stream, reset: this.#reset }, this.#settings.closeTimeout);
    this.#finishing = true;
    this.discard();
    if (afterPeer && !stream.readableEnded) stream.once('end', () => this.output.end());
    else this.output.end();
  }

  inContext(work: () => void): void {
    this.runInAsyncScope(work);
  }

  // What the byte stream reports.

  streamData(bytes: Buffer): void {
    this.output.hold();
    try {
      this.input.read(bytes);
    } finally {
      // Also when a listener of the program throws: what is written after that must leave as well.
      this.output.release();
    }
  }

  streamDrained(): void {
    this.output.drained();
    this.#owner.progressed();
    if (this.#sendDeadline === undefined) return;
    if (this.output.isFull) return this.#sendDeadline.progressed();
    this.#sendDeadline.stop();
    this.#sendDeadline = undefined;
  }

  streamEnded(): void {
    this.input.end();
  }

  /** Writing to it now would be an error, which would keep it from ending when all has been read. */
  streamAborted(): void {
    this.output.stop();
  }

  streamFailed(error: Error): void {
    this.#streamError = error;
  }

  streamClosed(): void {
    // Called twice for a stream that was destroyed before start() and has not emitted 'close' yet.
    if (this.#state !== 'open') return;
    this.#state = 'disconnected';
    // Gone without an end: a reset.
    if (!this.#stream.readableEnded && !this.input.isOver)
      this.#streamError ??= new Error('the byte stream was cut off');
    this.output.closed();
    this.#sendDeadline?.stop();
    this.input.end();
    this.#owner.disconnected();
    this.#closeIfOver();
  }

  // What the two halves report.

  receive(item: Incoming): boolean {
    return this.#owner.receive(item);
  }

  inputEnded(error: WebSocketError | undefined): void {
    const cause = this.#streamError ?? error;
    const isLost = this.#streamError !== undefined || error?.code === 'WS_ERR_TRUNCATED';
    this.#owner.inputEnded(isLost ? new WebSocketError('WS_ERR_CONNECTION_LOST', cause?.message, { cause }) : error);
    this.#closeIfOver();
  }

  outputDrained(): void {
    this.#owner.drained();
  }

  outputStalled(): void {
    const { sendTimeout } = this.#settings;
    if (sendTimeout === undefined) return;
    this.#sendDeadline ??= new Deadline(sendTimeout, () => this.#owner.sendTimedOut()).unref();
  }

  outputFailed(error: WebSocketError): void {
    this.#owner.sendingFailed(error);
  }

  /** Reports the end, once the byte stream is gone and everything that came has been received or discarded. */
  #closeIfOver(): void {
    if (this.#state !== 'disconnected' || !this.input.isOver) return;
    this.#state = 'closed';
    this.#owner.closed();
  }
}
