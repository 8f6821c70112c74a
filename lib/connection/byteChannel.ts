import { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';
import type { Incoming, Transport } from '../contracts';
import { WebSocketError } from '../errors';
import { type ConnectionCounters, noCounters } from '../framing/counters';
import { type FramingPool, framingPoolFor } from '../framing/framingPool';
import type { ConnectionSettings } from '../options';
import { ByteInput, type InputReceiver } from './byteInput';
import { ByteOutput, type OutputOwner } from './byteOutput';
import { discardUntilClosed, resetByteStream } from './byteStreamEnds';
import { type ByteStreamWatcher, watchByteStream } from './byteStreamEvents';
import { Deadline } from './deadline';

/** The owner of a ByteChannel: a Connection. */
export interface ChannelOwner {
  readonly settings: ConnectionSettings;
  /**
   * Receives a message or a control frame. If it returns false, the input decodes no further item until
   * `input.readOn()` is called.
   */
  receive(item: Incoming): boolean;
  /**
   * Called once, when the last received item has been passed to `receive()` and no more bytes can arrive.
   * @param error undefined if the peer has ended its side of the byte stream and nothing was truncated or invalid
   */
  inputEnded(error: WebSocketError | undefined): void;
  /** Called when `offer()` accepts items again after it has returned false. */
  drained(): void;
  /** Called on each 'drain' of the byte stream: bytes have reached the operating system. */
  progressed(): void;
  /** Called when bytes wait and none has reached the operating system for sendTimeout. */
  sendTimedOut(): void;
  /** Called when a message that `offer()` has accepted cannot be encoded. */
  sendingFailed(error: WebSocketError): void;
  /** Called when the byte stream has closed. Bytes received earlier may still have to be decoded and delivered. */
  disconnected(): void;
  /** Called when the byte stream has closed, and all received bytes have been delivered or discarded. */
  closed(): void;
}

/** Most bytes of one write to a TCP connection: Node reports progress only between writes. */
const largestWrite = 256 * 1024;

/**
 * Connects a byte stream with a ByteInput and a ByteOutput, which exchange messages and control frames with the owner.
 * It does what `pipe()` between the byte stream, a Deframer and a Framer would do, without the queues of these two
 * streams.
 * It is an AsyncResource: everything that happens on the connection runs in the asynchronous context in which the
 * channel was made, which is that of the program's handler.
 */
export class ByteChannel extends AsyncResource implements ByteStreamWatcher, InputReceiver, OutputOwner {
  readonly input: ByteInput;
  readonly output: ByteOutput;
  readonly stream: Duplex;
  readonly pool: FramingPool;
  readonly #reset: Transport['reset'];
  readonly #owner: ChannelOwner;
  #streamError: Error | undefined;
  /** `'finishing'`: our side of the byte stream is being ended; `'disconnected'`: it has closed. */
  #state: 'open' | 'finishing' | 'disconnected' | 'closed' = 'open';
  /** Runs for sendTimeout while bytes wait for the byte stream. */
  #sendDeadline: Deadline | undefined;

  constructor(transport: Transport, owner: ChannelOwner) {
    super('WebSocket');
    const { stream, reset } = transport;
    // The transport itself is not stored: its `head` would keep the read buffer of the handshake in memory.
    this.stream = stream;
    this.pool = framingPoolFor(owner.settings);
    this.#reset = reset;
    this.#owner = owner;
    this.input = new ByteInput(this);
    this.output = new ByteOutput(transport.largestWrite ?? largestWrite, this);
    // On an HTTP/2 stream, the callback of an empty write is called before the bytes in front of it have been sent, or
    // never, if the peer's window is used up. Its writes are never completed at once, so callbacks take no time there.
    if ('aborted' in stream) this.output.watch();
  }

  get isDisconnected(): boolean {
    return this.#state === 'disconnected' || this.#state === 'closed';
  }

  /** Whether the byte stream has closed, and all received bytes have been delivered or discarded. */
  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get isDestroyed(): boolean {
    return this.stream.destroyed;
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

  /**
   * Starts to listen to the byte stream.
   * @param head bytes of frames that were received together with the handshake
   */
  start(head: Buffer): void {
    const stream = this.stream;
    // The 'error' listener is added first: without one, a reset by the peer would end the process.
    watchByteStream(stream, this, 'error', 'close');
    if (stream.destroyed) {
      process.nextTick(() => this.streamClosed());
      return;
    }
    watchByteStream(stream, this, 'drain', 'end');
    if ('aborted' in stream) watchByteStream(stream, this, 'aborted');
    if (stream.readableEnded) {
      // The peer had ended its side before this call, so the byte stream emits neither 'data' nor 'end' any more.
      process.nextTick(() => {
        this.streamData(head);
        this.streamEnded();
      });
      return;
    }
    if (head.length > 0) stream.unshift(head);
    watchByteStream(stream, this, 'data');
    // The handshake may have read from the byte stream and paused it.
    stream.resume();
  }

  /** Discards all bytes that are received from now on, and those that have not been decoded. */
  discard(): void {
    this.input.discard();
    this.#closeIfOver();
  }

  /** Destroys the byte stream at once, so that the peer sees a reset. */
  reset(): void {
    this.output.stop();
    resetByteStream({ stream: this.stream, reset: this.#reset });
    this.discard();
  }

  /**
   * Ends our side of the byte stream when everything that was sent has been written, and discards what is received.
   * @param afterPeer whether to wait until the peer has ended its side
   */
  finish(afterPeer: boolean): void {
    const stream = this.stream;
    if (this.#state === 'open') {
      discardUntilClosed({ stream, reset: this.#reset }, this.#owner.settings.closeTimeout);
      this.#state = 'finishing';
    }
    this.discard();
    if (afterPeer && !stream.readableEnded) stream.once('end', () => this.output.end());
    else this.output.end();
  }

  inContext(work: () => void): void {
    this.runInAsyncScope(work);
  }

  // Events of the byte stream (ByteStreamWatcher).

  streamData(bytes: Buffer): void {
    this.output.hold();
    try {
      this.input.read(bytes);
    } finally {
      // Also if a listener of the program throws: if the process goes on, later writes must still be flushed.
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
    // From now on, the input tells nothing about a loss of the connection.
    this.output.watch();
    this.input.end();
  }

  /**
   * Stops the output: a write after the reset would be an error, and the byte stream would not emit 'end' after its
   * received bytes.
   */
  streamAborted(): void {
    this.output.stop();
  }

  streamFailed(error: Error): void {
    this.#streamError = error;
  }

  streamClosed(): void {
    // For a stream that was destroyed before start() and had not emitted 'close' yet, this is called twice.
    if (this.isDisconnected) return;
    this.#state = 'disconnected';
    // 'close' without 'end': the byte stream was reset.
    if (!this.stream.readableEnded && !this.input.isOver)
      this.#streamError ??= new Error('the byte stream was cut off');
    this.output.closed();
    this.#sendDeadline?.stop();
    this.input.end();
    this.#owner.disconnected();
    this.#closeIfOver();
  }

  // Calls of the input and the output (InputReceiver, OutputOwner).

  receive(item: Incoming): boolean {
    return this.#owner.receive(item);
  }

  inputEnded(error: WebSocketError | undefined): void {
    const cause = this.#streamError ?? error;
    const isLost = this.#streamError !== undefined || error?.code === 'WS_ERR_TRUNCATED';
    this.#owner.inputEnded(isLost ? new WebSocketError('WS_ERR_CONNECTION_LOST', cause?.message, { cause }) : error);
    this.#closeIfOver();
  }

  isReading(): boolean {
    return this.input.isAdvancing();
  }

  outputDrained(): void {
    this.#owner.drained();
  }

  outputStalled(): void {
    const { sendTimeout } = this.#owner.settings;
    if (sendTimeout === undefined) return;
    this.#sendDeadline ??= new Deadline(sendTimeout, () => this.#owner.sendTimedOut()).unref();
  }

  outputFailed(error: WebSocketError): void {
    this.#owner.sendingFailed(error);
  }

  /**
   * Calls `owner.closed()` once the byte stream has closed, and all received bytes have been delivered or discarded.
   */
  #closeIfOver(): void {
    if (this.#state !== 'disconnected' || !this.input.isOver) return;
    this.#state = 'closed';
    this.#owner.closed();
  }
}
