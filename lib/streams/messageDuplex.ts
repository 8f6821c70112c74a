import { Duplex, type Readable } from 'node:stream';
import type { Message } from '../contracts';

/** What a 'message' listener is told beside the message. */
export interface MessageInfo {
  readonly binary: boolean;
}

const textInfo: MessageInfo = Object.freeze({ binary: false });
const binaryInfo: MessageInfo = Object.freeze({ binary: true });

/** Messages that wait in front of a reader before the peer is held back. */
const readAhead = 16;

/** What the listeners of each event are called with, beside the events that every Duplex has. */
export interface WebSocketEvents {
  /** A message, in the event style. Listening is reading: it starts the flow. */
  message: [message: Message, info: MessageInfo];
  data: [message: Message];
  /** `connect()` was called. */
  start: [];
  /** Messages can travel. */
  open: [];
  /** The peer sent a ping; the pong has been sent. */
  ping: [payload: Buffer];
  pong: [payload: Buffer];
  error: [error: Error];
}

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter declares its listeners
type Listener = (...parameters: any[]) => void;

type ListenerOf<E extends keyof WebSocketEvents> = (...parameters: WebSocketEvents[E]) => void;

/** Listeners that every WebSocket has; one function each for all of them. */
let readingEnded: (this: MessageDuplex) => void;
let sourceAdded: (this: MessageDuplex) => void;
let sourceRemoved: (this: MessageDuplex) => void;

/**
 * An object-mode Duplex whose chunks are messages, for every way of reading them: 'data', pipes, async iteration, and
 * 'message' listeners, which are a consumer like the others.
 */
export abstract class MessageDuplex extends Duplex {
  #failure: Error | undefined;
  /** The last 'message' listener has gone, and with it the flow. */
  #pausedForListener = false;
  /** How many streams are piped into this one. */
  #sources = 0;

  readonly #tolerant: boolean;

  /** @param options.tolerant whether failures that the peer caused may go unheard */
  constructor({ tolerant }: { tolerant: boolean }) {
    super({
      objectMode: true,
      readableHighWaterMark: readAhead,
      // One message that the transport has not taken yet; the second one is told to wait.
      writableHighWaterMark: 2,
      // A peer that is done does not end our side: it may still owe the answers.
      allowHalfOpen: true,
    });
    this.#tolerant = tolerant;
    this.on('end', readingEnded);
    this.on('pipe', sourceAdded);
    this.on('unpipe', sourceRemoved);
  }

  /** From now on an error that nobody listens for is none of the program's, and must not end the process. */
  protected tolerateError(): void {
    if (this.#tolerant) this.on('error', ignore);
  }

  /** The peer is done: the readable side ends when all that came has been read. */
  protected endReading(): void {
    this.push(null);
    if (this.hasConsumer) return;
    // Nobody reads, so nobody has an answer, and the peer need not wait for one.
    this.#endSoon();
    // With nothing to read either, 'end' would never come, and 'close' neither.
    if (this.readableLength === 0) this.read(0);
  }

  /** Destroys the stream with this error, but not before everything that came before it has been read. */
  protected failAfterReading(error: Error): void {
    if (this.readableLength === 0) this.destroy(error);
    else this.#failure ??= error;
  }

  /** Messages that nobody has begun to read are kept this long (in milliseconds) after the connection, not forever. */
  protected giveUpReadingAfter(delay: number): void {
    if (this.hasConsumer) return;
    const timer = setTimeout(() => {
      if (!this.hasConsumer) this.destroy(this.#failure);
    }, delay);
    timer.unref();
    this.once('close', () => clearTimeout(timer));
  }

  /** Whether somebody reads, in whatever way, or has decided to pause. */
  protected get hasConsumer(): boolean {
    return this.readableFlowing !== null || this.listenerCount('readable') > 0;
  }

  /** Whether somebody reads it as a stream, through a pipe or a loop or 'data', not only through 'message' listeners. */
  get #hasStreamReader(): boolean {
    return this.listeners('data').some((listener) => listener !== emitMessage) || this.listenerCount('readable') > 0;
  }

  override read(size?: number): Message | null {
    const message = super.read(size);
    if (this.#failure !== undefined && this.readableLength === 0) {
      // The message in hand reaches its reader before the error does.
      process.nextTick(() => this.destroy(this.#failure));
    }
    return message;
  }

  /**
   * Reads until the end; leaving the loop early destroys the stream, as with every stream. Reaching the end does not: what
   * was written in the loop still has to leave.
   */
  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<Message> {
    let finished = false;
    try {
      yield* this.iterator({ destroyOnReturn: false }) as AsyncIterable<Message>;
      finished = true;
    } finally {
      if (!finished) this.destroy();
    }
  }

  override on<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<E>): this;
  override on(event: string | symbol, listener: Listener): this;
  override on(event: string | symbol, listener: Listener): this {
    super.on(event, listener);
    if (event === 'message') this.#startMessages();
    return this;
  }

  override addListener<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<E>): this;
  override addListener(event: string | symbol, listener: Listener): this;
  override addListener(event: string | symbol, listener: Listener): this {
    return this.on(event, listener);
  }

  override once<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<E>): this;
  override once(event: string | symbol, listener: Listener): this;
  override once(event: string | symbol, listener: Listener): this {
    return super.once(event, listener);
  }

  override prependListener<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<E>): this;
  override prependListener(event: string | symbol, listener: Listener): this;
  override prependListener(event: string | symbol, listener: Listener): this {
    super.prependListener(event, listener);
    if (event === 'message') this.#startMessages();
    return this;
  }

  override removeListener<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<E>): this;
  override removeListener(event: string | symbol, listener: Listener): this;
  override removeListener(event: string | symbol, listener: Listener): this {
    super.removeListener(event, listener);
    if (event === 'message') this.#stopMessages();
    return this;
  }

  override off<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<E>): this;
  override off(event: string | symbol, listener: Listener): this;
  override off(event: string | symbol, listener: Listener): this {
    return this.removeListener(event, listener);
  }

  override removeAllListeners(event?: string | symbol): this {
    super.removeAllListeners(event);
    if (event === 'message') this.#stopMessages();
    return this;
  }

  /**
   * Everything that came has been read. Streams that are fed from this one and piped back into it may still have a tail to
   * send, and end us after it; nobody else will, so we end ourselves when this turn of the event loop is over.
   */
  static {
    readingEnded = function (this: MessageDuplex) {
      if (this.#sources === 0 || !this.#hasStreamReader) this.#endSoon();
    };
    sourceAdded = function (this: MessageDuplex) {
      this.#sources++;
    };
    sourceRemoved = function (this: MessageDuplex) {
      this.#sources--;
      if (this.#sources === 0 && this.readableEnded) this.#endSoon();
    };
  }

  #endSoon(): void {
    setImmediate(() => {
      if (!this.writableEnded && !this.destroyed) this.end();
    });
  }

  #startMessages(): void {
    if (this.listeners('data').includes(emitMessage)) return;
    super.on('data', emitMessage);
    if (this.#pausedForListener) {
      this.#pausedForListener = false;
      this.resume();
    }
  }

  /** Without a listener the flow would throw messages away: `once(ws, 'message')` must not cost the second one. */
  #stopMessages(): void {
    if (this.listenerCount('message') > 0) return;
    super.removeListener('data', emitMessage);
    if (this.listenerCount('data') === 0 && !this.isPaused()) {
      this.#pausedForListener = true;
      this.pause();
    }
  }
}

/** One function for all connections. */
function emitMessage(this: Readable, message: Message): void {
  this.emit('message', message, typeof message === 'string' ? textInfo : binaryInfo);
}

function ignore(): void {}
