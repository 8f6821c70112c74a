import type { Message } from '../contracts';
import type { HighWaterMarkOptions } from '../options';
import type { Delivered } from './incomingMessages';
import { emitMessage } from './messageEvents';
import { type Callback, type Writable, WritingDuplex } from './writingDuplex';

/** Milliseconds without a write after which a writer that does not say so is taken to be done. */
const quietTime = 1000;

/** Listeners that every WebSocket has; one function each for all of them. */
let readingEnded: (this: MessageDuplex) => void;
let sourceAdded: (this: MessageDuplex) => void;
let sourceRemoved: (this: MessageDuplex) => void;
let ownListeners: readonly (readonly [event: string, listener: (this: MessageDuplex) => void])[];

/**
 * An object-mode Duplex whose chunks are messages, for every way of reading them: 'data', pipes, async iteration, and
 * 'message' listeners, which are a consumer like the others.
 */
export abstract class MessageDuplex<M extends Delivered = Message> extends WritingDuplex<M> {
  #failure: Error | undefined;
  /** How many streams are piped into this one. */
  #sources = 0;
  /** How many loops read this one at the moment, those inside `pipeline()` and the operators of Readable among them. */
  #loops = 0;
  #wasReadAsStream = false;
  #wasReadByLoop = false;
  #quiet: NodeJS.Timeout | undefined;
  #written = false;
  #patience: number | undefined;
  #unread: NodeJS.Timeout | undefined;

  /** @param options.tolerant whether failures that the peer caused may go unheard */
  constructor({ tolerant, marks }: { tolerant: boolean; marks: HighWaterMarkOptions }) {
    super({ tolerant, marks });
    for (const [event, listener] of ownListeners) super.on(event, listener);
  }

  /** Our own listeners, which a program that removes all listeners does not mean. */
  #listen(): void {
    for (const [event, listener] of ownListeners)
      if (!this.listeners(event).includes(listener)) super.on(event, listener);
  }

  /** The peer is done: the readable side ends when all that came has been read, and the writable side after it. */
  protected endReading(): void {
    this.push(null);
    if (this.hasConsumer) return;
    if (this.readableLength > 0) {
      // A program that has not begun to read may still want to answer; one that only writes does not.
      if (this.#written) this.#endSoon();
      return;
    }
    this.#endSoon();
    // With nobody reading and nothing to read, 'end' would never come, and 'close' neither.
    this.read(0);
  }

  /** Ends the writable side in place of the program, which has had its time. Returns false if it was still writing. */
  protected endForPeer(): boolean {
    if (this.writableEnded || this.destroyed) return true;
    this.endUnasked();
    return !this.#hasStreamWriter;
  }

  /**
   * Destroys the stream with this error, but not before everything that came before it has been read. Returns whether that is
   * going on.
   */
  protected failAfterReading(error: Error): boolean {
    if (this.readableLength === 0) {
      this.destroy(error);
      return false;
    }
    this.#failure ??= error;
    return this.readableFlowing === true || this.#loops > 0;
  }

  /** From now on messages that nobody reads are kept this long, in milliseconds, and not forever. */
  protected giveUpReadingAfter(delay: number): void {
    this.#patience = delay;
    if (this.hasConsumer || this.destroyed) return;
    // Readers may come and go: there is one timer, and one listener to end it.
    if (this.#unread !== undefined) return void this.#unread.refresh();
    this.#unread = setTimeout(() => {
      if (!this.hasConsumer) this.destroy(this.#failure ?? this.unsaid ?? undefined);
    }, delay).unref();
    this.once('close', () => clearTimeout(this.#unread));
  }

  /** Whether somebody reads, in whatever way, or has decided to pause. */
  protected get hasConsumer(): boolean {
    const flows = this.readableFlowing !== null && !this.isForsaken;
    return flows || this.#loops > 0 || this.listenerCount('readable') > 0;
  }

  /** Whether somebody reads it as a stream, through a pipe or a loop or 'data', not only through 'message' listeners. */
  get #hasStreamReader(): boolean {
    return this.listeners('data').some((listener) => listener !== emitMessage) || this.listenerCount('readable') > 0;
  }

  /** Whether somebody writes who will end this stream when done: a piped stream, or, told by its 'drain', `pipeline()` or a web stream. */
  get #hasStreamWriter(): boolean {
    return this.#sources > 0 || this.listenerCount('drain') > 0;
  }

  override write(message: Writable, callback?: Callback): boolean;
  override write(message: Writable, encoding: BufferEncoding | undefined, callback?: Callback): boolean;
  override write(message: Writable, encoding?: BufferEncoding | Callback, callback?: Callback): boolean {
    this.#written = true;
    this.#quiet?.refresh();
    return super.write(message, encoding as BufferEncoding, callback);
  }

  override read(size?: number): M | null {
    const message = super.read(size);
    if (this.#failure !== undefined && this.readableLength === 0) {
      // The message in hand reaches its reader before the error does; a loop may also answer it.
      setImmediate(() => this.destroy(this.#failure));
    }
    return message;
  }

  /**
   * Reads until the end; leaving the loop early destroys the stream, as with every stream. Reaching the end does not: what
   * was written in the loop still has to leave.
   */
  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<M> {
    let finished = false;
    this.#loops++;
    this.#wasReadAsStream = this.#wasReadByLoop = true;
    try {
      yield* this.iterator({ destroyOnReturn: false }) as AsyncIterable<M>;
      finished = true;
    } finally {
      this.#loops--;
      if (!finished) this.destroy();
      else if (this.#idle) this.#endSoon();
    }
  }

  override removeAllListeners(event?: string | symbol): this {
    super.removeAllListeners(event);
    this.#listen();
    return this;
  }

  protected override forsaken(): void {
    if (this.#patience !== undefined) this.giveUpReadingAfter(this.#patience);
  }

  /**
   * Everything has been read, and nobody is left who may have more to say. Loops may be busy with the last message, and streams
   * that are fed from this one and feed it in turn may have a tail to send: those end this stream themselves.
   */
  get #idle(): boolean {
    return this.readableEnded && this.#loops === 0 && !(this.#hasStreamWriter && this.#wasReadAsStream);
  }

  static {
    readingEnded = function (this: MessageDuplex) {
      this.#wasReadAsStream ||= this.#hasStreamReader;
      if (this.#idle) this.#endSoon();
      else if (this.#sources === 0 && !this.#wasReadByLoop) this.#endWhenQuiet();
    };
    sourceAdded = function (this: MessageDuplex) {
      this.#sources++;
    };
    sourceRemoved = function (this: MessageDuplex) {
      this.#sources--;
      if (this.#idle) this.#endSoon();
    };
    ownListeners = [
      ['end', readingEnded],
      ['pipe', sourceAdded],
      ['unpipe', sourceRemoved],
    ];
  }

  /**
   * A web stream made of a Duplex tells its reader of the end only when both sides have ended (before Node 24), so its writer
   * would wait for us as we wait for it. One that has not written for a while has written all.
   */
  #endWhenQuiet(): void {
    this.#quiet = setTimeout(() => this.endForPeer(), quietTime);
    this.once('close', () => clearTimeout(this.#quiet));
    this.once('finish', () => clearTimeout(this.#quiet));
  }

  /** When this turn of the event loop is over, which leaves room for a last word. */
  #endSoon(): void {
    setImmediate(() => this.endForPeer());
  }
}
