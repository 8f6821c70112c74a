import type { Readable } from 'node:stream';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { costOf } from '../framing/cost';
import type { Marks } from '../options';
import { emitMessage } from './events';
import type { Delivered } from './streamedMessages';
import { throwLater } from './throwLater';

/** The readable side of a WebSocket, as far as its queue looks at it. */
export type ReadableSide = Pick<
  Readable,
  | 'on'
  | 'removeListener'
  | 'push'
  | 'read'
  | 'emit'
  | 'destroy'
  | 'destroyed'
  | 'listeners'
  | 'listenerCount'
  | 'isPaused'
  | 'pause'
  | 'resume'
  | 'readableFlowing'
  | 'readableLength'
  | 'readableDidRead'
  | 'readableEncoding'
>;

/** Where the messages come from: a connection. */
export interface MessageSupply {
  readOn(): void;
}

/**
 * Delivers messages to the readable side of a WebSocket, up to two marks ahead of the reader: a number of messages, and the bytes of memory
 * that they keep alive. What is behind that stays with the peer. It also knows who reads, in whatever way.
 */
export class ReadQueue {
  /** Messages that have come. */
  received = 0;
  marks: Marks;
  readonly #stream: ReadableSide;
  #supply: MessageSupply | undefined;
  /** Bytes of memory that the messages in the queue keep alive. */
  #cost = 0;
  /** The stream has asked for more messages than the marks allow. */
  #held = false;
  /** Messages are dropped: the program has closed and never read. */
  #discarding = false;
  /** There are 'message' listeners. */
  #listensForMessages = false;
  /** There is no 'data' listener but the one behind 'message'. */
  #onlyMessages = false;
  /** The flow was paused because the last 'message' listener was removed. */
  #pausedForLackOfListeners = false;
  /** Loops that read at the moment. */
  #loops = 0;
  /** The error to destroy the stream with when everything before it has been read. */
  #failure: Error | undefined;
  #unread: NodeJS.Timeout | undefined;

  constructor(stream: ReadableSide, marks: Marks) {
    this.#stream = stream;
    this.marks = marks;
  }

  /** Whether somebody reads, in whatever way, or has decided to pause. */
  get hasReader(): boolean {
    const flows = this.#stream.readableFlowing !== null && !this.#pausedForLackOfListeners;
    return flows || this.#loops > 0 || this.#stream.listenerCount('readable') > 0;
  }

  /** From now on there is a connection to read from. */
  open(supply: MessageSupply): void {
    this.#supply = supply;
  }

  /** Delivers a message. Returns false if that is enough for now. */
  deliver(message: Delivered): boolean {
    this.received++;
    if (this.#discarding) return true;
    const stream = this.#stream;
    // Past the queue of the stream if nothing waits in it, which would schedule a tick of the event loop for each message (0.3 of 10 µs for a
    // small echo). Not the first one: a stream must know that it was read.
    if (
      stream.readableFlowing === true &&
      stream.readableLength === 0 &&
      stream.readableDidRead &&
      stream.readableEncoding === null
    ) {
      // Past 'data' if that would only lead to 'message' (a twentieth of a small echo).
      if (this.#onlyMessages) emitMessage.call(stream as Readable, message);
      else stream.emit('data', message);
      return true;
    }
    this.#cost += costOf(message);
    try {
      stream.push(message);
    } finally {
      // The stream may have emitted it at once, to a listener that has thrown perhaps.
      if (stream.readableLength === 0) this.#cost = 0;
    }
    return this.#wantsMore;
  }

  /** The stream asks for more messages. */
  requested(): void {
    if (this.#wantsMore) throwLater(() => this.#supply?.readOn());
    else this.#held = true;
  }

  /** A message was read; null: the queue is empty. */
  taken(message: unknown): void {
    if (message !== null && (this.#held || this.#cost > 0)) this.#makeRoom(message);
    this.#failWhenEmpty();
  }

  /** A listener has thrown while a message was read: goes on with the messages behind it, if the process does. */
  readingThrew(): void {
    process.nextTick(() => {
      while (this.#stream.readableFlowing === true && this.#stream.read() !== null);
    });
    // The message in hand has been taken all the same.
    this.#makeRoom(undefined);
    this.#failWhenEmpty();
  }

  /** Drops what was received and what comes, if nobody has ever read: the program has closed and does not want it. */
  discardUnread(): void {
    const stream = this.#stream;
    if (this.hasReader || stream.readableDidRead || this.#discarding) return;
    this.#discarding = true;
    while (stream.read() !== null);
    this.#supply?.readOn();
  }

  /** The peer has closed cleanly: the readable side ends behind the messages in the queue. */
  end(): void {
    this.#stream.push(null);
    // With nobody reading and nothing to read, 'end' would never come, and 'close' neither.
    if (!this.hasReader && this.#stream.readableLength === 0) this.#stream.read(0);
  }

  /**
   * Destroys the stream with this error when everything before it has been read. Returns whether somebody is reading that; if nobody does,
   * `keepUnreadFor()` sets the time.
   */
  failAfterReading(error: Error): boolean {
    if (this.#stream.readableLength === 0) {
      this.#stream.destroy(error);
      return false;
    }
    this.#failure ??= error;
    return this.#stream.readableFlowing === true || this.#loops > 0;
  }

  /** From now on messages that nobody reads are kept for a limited time, in milliseconds. */
  keepUnreadFor(time: number, expired: (failure: Error | undefined) => void): void {
    if (this.hasReader || this.#stream.destroyed) return;
    if (this.#unread !== undefined) {
      this.#unread.refresh();
      return;
    }
    this.#unread = setTimeout(() => {
      if (!this.hasReader) expired(this.#failure);
    }, time).unref();
  }

  /** The stream is destroyed. */
  stop(): void {
    clearTimeout(this.#unread);
    this.#failure = undefined;
  }

  loopStarted(): void {
    this.#loops++;
  }

  loopEnded(): void {
    this.#loops--;
  }

  get loops(): number {
    return this.#loops;
  }

  /** The listeners of 'message' or 'data' have changed. */
  listenersChanged(): void {
    const stream = this.#stream;
    const listens = stream.listenerCount('message') > 0;
    if (listens !== this.#listensForMessages) {
      this.#listensForMessages = listens;
      if (listens) this.#startMessages();
      else this.#stopMessages();
    }
    const listeners = stream.listeners('data');
    this.#onlyMessages = listeners.length === 1 && listeners[0] === emitMessage;
  }

  #startMessages(): void {
    this.#stream.on('data', emitMessage);
    if (!this.#pausedForLackOfListeners) return;
    this.#pausedForLackOfListeners = false;
    this.#stream.resume();
  }

  /** Without a listener the flow would throw messages away: `once(ws, 'message')` must not cost the second one. */
  #stopMessages(): void {
    const stream = this.#stream;
    stream.removeListener('data', emitMessage);
    if (stream.listenerCount('data') > 0 || stream.isPaused()) return;
    stream.pause();
    this.#pausedForLackOfListeners = true;
  }

  get #wantsMore(): boolean {
    return this.#stream.readableLength < this.marks.messages && this.#cost < this.marks.bytes;
  }

  #makeRoom(message: unknown): void {
    // What the program has put back with unshift() was not counted.
    this.#cost = this.#stream.readableLength === 0 ? 0 : Math.max(0, this.#cost - costOf(message));
    if (!this.#held || !this.#wantsMore) return;
    this.#held = false;
    // Not now: the message in hand must reach the reader before the end does, of which a stream may tell at once.
    process.nextTick(() => this.#supply?.readOn());
  }

  #failWhenEmpty(): void {
    const failure = this.#failure;
    if (failure === undefined || this.#stream.readableLength > 0) return;
    // The message in hand reaches its reader before the error does; a loop may also answer it.
    setImmediate(() => this.#stream.destroy(failure));
  }
}
