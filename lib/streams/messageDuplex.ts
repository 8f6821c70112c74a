import type { Message } from '../contracts';
import { WebSocketError } from '../errors';
import type { HighWaterMarkOptions } from '../options';
import type { Delivered } from './incomingMessages';
import { emitMessage } from './messageEvents';
import type { BinaryData, PreparedMessage } from './outgoingMessage';
import type { MessageSource } from './outgoingStream';
import { WriteAheadDuplex } from './writeAheadDuplex';

/** What is called when a message has been taken, or has failed. */
export type Callback = (error?: Error | null) => void;

/** What a message can be written as. */
type Writable = string | BinaryData | PreparedMessage | MessageSource;

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
export abstract class MessageDuplex extends WriteAheadDuplex {
  #failure: Error | undefined;
  /** How many streams are piped into this one. */
  #sources = 0;
  /** How many loops read this one at the moment, those inside `pipeline()` and the operators of Readable among them. */
  #loops = 0;
  #wasReadAsStream = false;
  #wasReadByLoop = false;
  #quiet: NodeJS.Timeout | undefined;
  #written = false;
  /** We, and not the program, have ended the writable side, because the peer has closed. */
  #endedForPeer = false;
  #patience: number | undefined;
  #unread: NodeJS.Timeout | undefined;

  readonly #tolerant: boolean;

  /** @param options.tolerant whether failures that the peer caused may go unheard */
  constructor({ tolerant, marks }: { tolerant: boolean; marks: HighWaterMarkOptions }) {
    super(marks);
    this.#tolerant = tolerant;
    for (const [event, listener] of ownListeners) super.on(event, listener);
  }

  /** Our own listeners, which a program that removes all listeners does not mean. */
  #listen(): void {
    for (const [event, listener] of ownListeners)
      if (!this.listeners(event).includes(listener)) super.on(event, listener);
  }

  /** From now on an error that nobody listens for is none of the program's, and must not end the process. */
  protected tolerateError(): void {
    if (this.#tolerant && !this.listeners('error').includes(ignore)) this.on('error', ignore);
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
    this.#endedForPeer = true;
    this.end();
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
      if (!this.hasConsumer) this.destroy(this.#failure);
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

  /** Why a message cannot be sent in the version of the protocol in use; undefined if it can. */
  protected abstract refusal(message: unknown): WebSocketError | undefined;

  /** Writes a message at once, if it is one and there is room. */
  protected abstract writeNow(message: unknown): boolean;

  /** Called before a message goes into the queue. */
  protected abstract writing(message: unknown): void;

  /** Called when the writable side has ended, with messages in the queue perhaps. */
  protected abstract ending(): void;

  override write(message: Writable, callback?: Callback): boolean;
  override write(message: Writable, encoding: BufferEncoding | undefined, callback?: Callback): boolean;
  override write(message: unknown, encoding?: unknown, callback?: unknown): boolean {
    this.#written = true;
    if (this.#endedForPeer) return this.#refuseWrite(typeof encoding === 'function' ? encoding : callback);
    this.#quiet?.refresh();
    const refusal = this.refusal(message);
    if (refusal !== undefined) return this.#failWrite(refusal, typeof encoding === 'function' ? encoding : callback);
    // Past the queue if nothing waits in it: a tick of the event loop less.
    if (this.writableLength === 0 && this.writableCorked === 0 && this.writable && this.writeNow(message)) {
      const done = typeof encoding === 'function' ? encoding : callback;
      if (typeof done === 'function') process.nextTick(done, null);
      return !this.isFull || this.mayWriteOn();
    }
    this.writing(message);
    return super.write(message, encoding as BufferEncoding, callback as Callback) && this.mayWriteOn();
  }

  override end(callback?: () => void): this;
  override end(message: Writable, callback?: () => void): this;
  override end(message: Writable, encoding: BufferEncoding | undefined, callback?: () => void): this;
  override end(message?: unknown, encoding?: unknown, callback?: unknown): this {
    if (typeof message !== 'function' && message != null && !this.writableEnded) this.writing(message);
    super.end(message, encoding as BufferEncoding, callback as () => void);
    this.ending();
    return this;
  }

  /**
   * Fails one call and leaves the stream as it is. The peer has chosen the version, so on a server this must not end the process.
   */
  #failWrite(error: WebSocketError, callback: unknown): boolean {
    this.tolerateError();
    if (typeof callback === 'function') process.nextTick(callback as Callback, error);
    else process.nextTick(() => this.emit('error', error));
    return true;
  }

  /** A write that comes after we have ended for the peer fails, but it must not cost the reader what is still to be read. */
  #refuseWrite(callback: unknown): boolean {
    const error = new WebSocketError('WS_ERR_NOT_OPEN', 'the peer has closed');
    if (typeof callback === 'function') process.nextTick(callback as Callback, error);
    this.failAfterReading(error);
    return false;
  }

  override read(size?: number): Delivered | null {
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
  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<Message> {
    let finished = false;
    this.#loops++;
    this.#wasReadAsStream = this.#wasReadByLoop = true;
    try {
      yield* this.iterator({ destroyOnReturn: false }) as AsyncIterable<Message>;
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

function ignore(): void {}
