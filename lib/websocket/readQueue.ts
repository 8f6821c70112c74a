import type { Readable } from 'node:stream';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { costOf } from '../framing/cost';
import { ownListener } from '../nodeStreams/duplexOverrides';
import { throwLater } from '../nodeStreams/throwLater';
import type { Marks } from '../options';
import { emitMessage } from './events';
import type { Delivered, MessageSupply } from './streamedMessages';

/** The properties of the WebSocket stream that the ReadQueue uses. */
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

interface EndOfReading {
  /** The error to destroy the stream with when all messages received before it have been read. */
  failure?: Error;
  /** Runs while nobody reads what was received. */
  unread?: NodeJS.Timeout;
}

/**
 * Delivers messages to the readable side of a WebSocket, ahead of the reader up to two high water marks: a number of
 * messages, and the bytes of memory that they keep alive. At a mark, reading from the connection is paused. The queue
 * also knows whether the program reads: with a listener, a pipe, a `for await` loop, or `read()`.
 */
export class ReadQueue {
  /** Received messages. */
  received = 0;
  marks: Marks;
  readonly #stream: ReadableSide;
  #supply: MessageSupply | undefined;
  #cost = 0;
  /**
   * `'held'`: the stream has asked for messages while a mark was reached; `'discarding'`: messages are dropped, because
   * the program has closed and has never read.
   */
  #flow: 'free' | 'held' | 'discarding' = 'free';
  /** `'message'`: there are 'message' listeners; `'onlyMessage'`: and their `emitMessage` is the only 'data' listener. */
  #listening: 'no' | 'message' | 'onlyMessage' = 'no';
  /** Whether the flow was paused because the last 'message' listener was removed. */
  #pausedForLackOfListeners = false;
  /** The number of `for await` loops that read at the moment. */
  #loops = 0;
  /** Made when the connection has failed or was lost, to save the memory on open connections. */
  #end: EndOfReading | undefined;

  constructor(stream: ReadableSide, marks: Marks) {
    this.#stream = stream;
    this.marks = marks;
  }

  /** Bytes of memory that the messages in the queue keep alive. */
  get cost(): number {
    return this.#cost;
  }

  /** Whether the program reads in some way, or has called `pause()`. */
  get hasReader(): boolean {
    const { readableFlowing } = this.#stream;
    const flows = readableFlowing === true || (readableFlowing === false && !this.#pausedForLackOfListeners);
    return flows || this.#loops > 0 || this.#stream.listenerCount('readable') > 0;
  }

  /** Sets the connection to read from. */
  open(supply: MessageSupply): void {
    this.#supply = supply;
  }

  /** Delivers a message. Returns false if a mark is reached. */
  deliver(message: Delivered): boolean {
    this.received++;
    if (this.#flow === 'discarding') return true;
    const stream = this.#stream;
    // If the stream flows and its queue is empty, emit 'data' without push(), which would schedule a tick of the event
    // loop for each message (0.3 of 10 µs for a small echo). The first message always goes through push(), which sets
    // readableDidRead.
    if (
      stream.readableFlowing === true &&
      stream.readableLength === 0 &&
      stream.readableDidRead &&
      stream.readableEncoding === null
    ) {
      // If 'message' listeners are the only ones, emit 'message' without 'data' (a twentieth of the time of a small
      // echo).
      if (this.#listening === 'onlyMessage') emitMessage.call(stream as Readable, message);
      else stream.emit('data', message);
      return true;
    }
    this.#cost += costOf(message);
    try {
      stream.push(message);
    } finally {
      // push() may have emitted the message at once, and a listener may have thrown.
      if (stream.readableLength === 0) this.#cost = 0;
    }
    return this.#wantsMore;
  }

  /** Called when the stream asks for more messages. */
  requested(): void {
    if (this.#wantsMore) throwLater(() => this.#supply?.readOn());
    else if (this.#flow === 'free') this.#flow = 'held';
  }

  /** Called after `read()` has returned a message, or null for an empty queue. */
  taken(message: unknown): void {
    if (message !== null && (this.#flow === 'held' || this.#cost > 0)) this.#makeRoom(message);
    this.#failWhenEmpty();
  }

  /** Called after a listener has thrown inside of `read()`. If the process goes on, the next messages are delivered. */
  readingThrew(): void {
    process.nextTick(() => {
      while (this.#stream.readableFlowing === true && this.#stream.read() !== null);
    });
    // The message whose listener has thrown has left the queue.
    this.#makeRoom(undefined);
    this.#failWhenEmpty();
  }

  /**
   * Drops all messages, received and future ones, if nobody has ever read: the program has closed and does not want
   * them.
   */
  discardUnread(): void {
    const stream = this.#stream;
    if (this.hasReader || stream.readableDidRead || this.#flow === 'discarding') return;
    this.#flow = 'discarding';
    while (stream.read() !== null);
    this.#supply?.readOn();
  }

  /** Ends the readable side after the messages in the queue, when the peer has closed cleanly. */
  end(): void {
    this.#stream.push(null);
    // If nobody reads and the queue is empty, only read(0) makes the stream emit 'end' and then 'close'.
    if (!this.hasReader && this.#stream.readableLength === 0) this.#stream.read(0);
  }

  /**
   * Destroys the stream with this error when all messages in the queue have been read. Returns whether somebody reads
   * them at the moment. If nobody does, `keepUnreadFor()` limits the time.
   */
  failAfterReading(error: Error): boolean {
    if (this.#stream.readableLength === 0) {
      this.#stream.destroy(error);
      return false;
    }
    this.#end ??= {};
    this.#end.failure ??= error;
    return this.#stream.readableFlowing === true || this.#loops > 0;
  }

  /**
   * Calls `expired` after a time if nobody reads until then. Does nothing if somebody reads already.
   * @param time milliseconds
   */
  keepUnreadFor(time: number, expired: (failure: Error | undefined) => void): void {
    if (this.hasReader || this.#stream.destroyed) return;
    this.#end ??= {};
    this.#end.unread ??= setTimeout(() => {
      if (!this.hasReader) expired(this.#end?.failure);
    }, time).unref();
    this.#end.unread.refresh();
  }

  /** Called when the stream is destroyed. */
  stop(): void {
    clearTimeout(this.#end?.unread);
    this.#end = undefined;
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

  /** Called when the listeners of 'message' or 'data' have changed. */
  listenersChanged(): void {
    const stream = this.#stream;
    const listens = stream.listenerCount('message') > 0;
    if (listens !== (this.#listening !== 'no')) {
      this.#listening = listens ? 'message' : 'no';
      if (listens) stream.on('data', ownListener(emitMessage));
      else this.#stopMessages();
    }
    const listeners = stream.listeners('data');
    // Node starts the flow for a 'data' listener only if nobody has paused it. A pipe adds one too.
    if (this.#pausedForLackOfListeners && listeners.length > 0) {
      this.#pausedForLackOfListeners = false;
      stream.resume();
    }
    if (listens) this.#listening = listeners.length === 1 && listeners[0] === emitMessage ? 'onlyMessage' : 'message';
  }

  /**
   * Pauses the flow, because a flowing stream without a listener drops its messages: after `once(ws, 'message')` the
   * second message must not be lost.
   */
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
    // Messages that the program has put back with unshift() were not counted, so the cost could fall below 0.
    this.#cost = this.#stream.readableLength === 0 ? 0 : Math.max(0, this.#cost - costOf(message));
    if (this.#flow !== 'held' || !this.#wantsMore) return;
    this.#flow = 'free';
    // nextTick(): this message must reach the reader before the end of the connection does, which a stream may report
    // at once.
    process.nextTick(() => this.#supply?.readOn());
  }

  #failWhenEmpty(): void {
    const failure = this.#end?.failure;
    if (failure === undefined || this.#stream.readableLength > 0) return;
    // setImmediate(): the last message must reach the reader before the error does, and a `for await` loop may answer
    // it.
    setImmediate(() => this.#stream.destroy(failure));
  }
}
