import type { Duplex } from 'node:stream';
import type { Incoming, Outgoing, Role, Transport, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { Deframer } from './deframer';
import { discardUntilClosed } from './discardUntilClosed';
import { batchSize, Framer } from './framer';

/** Whoever reads from and writes to the pipeline: the WebSocket. */
export interface PipelineOwner {
  /** A message or a control frame has come. False stops the reading until `resumeReading()`. */
  receive(item: Incoming): boolean;
  /** Nothing more will come, and all that came has been received. The error says why, unless the peer just ended. */
  ended(error: Error | undefined): void;
  /** `offer()` takes items again. */
  drained(): void;
  /** The byte stream is gone. */
  closed(): void;
}

export interface PipelineOptions {
  readonly role: Role;
  readonly version: Version;
  readonly maxMessageSize: number;
  /** Milliseconds that the last bytes may take to leave, and the peer to end its side, once we have ended ours. */
  readonly closeTimeout: number;
}

/**
 * The joints between the byte stream and the WebSocket:
 *
 *     transport ──bytes──▶ Deframer ──messages, control frames──▶ owner.receive()
 *         ▲                                                             │
 *         └────bytes─── Framer ◀──messages, control frames── offer(), send()
 *
 * They are what `pipe()` would do, by hand: `pipe()` makes eight closures a joint and a write for every frame, where here
 * all the answers to one read leave in one write (0.5 against 0.9 µs for a small echo).
 */
export class Pipeline {
  readonly #stream: Duplex;
  readonly #deframer: Deframer;
  readonly #framer: Framer;
  readonly #owner: PipelineOwner;
  readonly #closeTimeout: number;
  /** We are inside a read: what is written now leaves at its end. */
  #reading = false;
  #flushScheduled = false;
  /** What comes from the peer is no longer looked at. */
  #discarding = false;
  #finishing = false;
  #streamError: Error | undefined;

  constructor({ stream, head }: Transport, options: PipelineOptions, owner: PipelineOwner) {
    this.#stream = stream;
    this.#owner = owner;
    this.#closeTimeout = options.closeTimeout;
    this.#deframer = new Deframer(options);
    this.#framer = new Framer(options);
    this.#framer.hold();
    this.#joinDeframer();
    this.#joinFramer();
    this.#joinStream(head);
  }

  /** Bytes that have been encoded and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#framer.pendingBytes + this.#stream.writableLength;
  }

  /** Sends an item, unless the transport is full: then it returns false, and `owner.drained()` says when to offer it again. */
  offer(item: Outgoing): boolean {
    if (this.#framer.isPaused()) return false;
    this.send(item);
    return true;
  }

  /** Sends an item, full or not. */
  send(item: Outgoing): void {
    if (this.#framer.writableEnded) return;
    this.#framer.write(item);
    if (this.#framer.pendingBytes >= batchSize) this.#flush();
    else if (!this.#reading && !this.#flushScheduled) {
      this.#flushScheduled = true;
      process.nextTick(Pipeline.#flushScheduledFrames, this);
    }
  }

  resumeReading(): void {
    if (this.#deframer.isPaused()) this.#deframer.resume();
  }

  /** Lets what was sent leave, then ends our side of the byte stream, or, if `afterPeer`, when the peer has ended its own. */
  finish({ afterPeer = false } = {}): void {
    if (!this.#finishing) discardUntilClosed(this.#stream, this.#closeTimeout);
    this.#finishing = true;
    this.#discarding = true;
    if (afterPeer && !this.#stream.readableEnded) this.#stream.once('end', () => this.#framer.end());
    else this.#framer.end();
  }

  /** Drops the byte stream now. */
  destroy(): void {
    this.#discarding = true;
    this.#stream.destroy();
  }

  #joinDeframer(): void {
    const owner = this.#owner;
    this.#deframer
      .on('data', (item: Incoming) => {
        if (!owner.receive(item)) this.#deframer.pause();
      })
      .on('drain', () => this.#stream.resume())
      .on('end', () => this.#inputEnded(undefined))
      .on('error', (error) => this.#inputEnded(error));
  }

  #joinFramer(): void {
    this.#framer
      .on('data', (bytes: Uint8Array) => {
        if (!this.#stream.write(bytes)) this.#framer.pause();
      })
      .on('end', () => this.#stream.end())
      .on('error', (error) => this.#inputEnded(error));
  }

  #joinStream(head: Buffer): void {
    const stream = this.#stream;
    // First of all the 'error' listener: a reset at any moment from here on is an event, not a crash.
    stream.on('error', (error) => {
      this.#streamError = error;
    });
    stream.on('close', () => this.#streamClosed());
    if (stream.destroyed) {
      process.nextTick(() => this.#streamClosed());
      return;
    }
    stream.on('drain', () => {
      this.#framer.resume();
      this.#owner.drained();
    });
    stream.on('end', () => this.#endInput());
    if (head.length > 0) stream.unshift(head);
    stream.on('data', (bytes: Buffer) => this.#readBytes(bytes));
  }

  #readBytes(bytes: Buffer): void {
    if (this.#discarding) return;
    let more = true;
    this.#reading = true;
    try {
      more = this.#deframer.write(bytes);
    } finally {
      // Also when a listener of the program throws: what is written after that must leave as well.
      this.#reading = false;
      this.#flush();
    }
    // `more` is also false for a chunk above the mark that has been used up already.
    if (!more && this.#deframer.writableLength > 0) this.#stream.pause();
  }

  #flush(): void {
    const pieces = this.#framer.pendingPieces;
    if (pieces === 0) return;
    if (pieces === 1) return this.#framer.flush();
    // A header and its large payload leave in one system call.
    this.#stream.cork();
    this.#framer.flush();
    this.#stream.uncork();
  }

  static #flushScheduledFrames(pipeline: Pipeline): void {
    pipeline.#flushScheduled = false;
    if (!pipeline.#framer.writableEnded) pipeline.#flush();
  }

  /** The peer's bytes have ended; what the Deframer still holds comes first. */
  #endInput(): void {
    if (!this.#discarding && !this.#deframer.writableEnded) this.#deframer.end();
  }

  #inputEnded(error: Error | undefined): void {
    if (this.#discarding) return;
    this.#discarding = true;
    const cause = this.#streamError ?? error;
    const lost = this.#streamError !== undefined || (cause as WebSocketError | undefined)?.code === 'WS_ERR_TRUNCATED';
    this.#owner.ended(lost ? new WebSocketError('WS_ERR_CONNECTION_LOST', cause?.message, { cause }) : cause);
  }

  #streamClosed(): void {
    this.#endInput();
    this.#owner.closed();
  }
}
