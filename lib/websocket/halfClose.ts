import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers';

/** The WebSocket, as far as its half-close needs it. */
export interface HalfCloseOwner {
  /** As Node's option; undefined: this file decides. */
  readonly allowHalfOpen: boolean | undefined;
  readonly readableEnded: boolean;
  /** Whether it is read by a loop, a pipe, or 'data' listeners, and not only by 'message' listeners. */
  readonly isReadAsStream: boolean;
  /** Loops that read at the moment. */
  readonly loops: number;
  listenerCount(event: 'drain' | 'finish'): number;
  /** Ends the writable side in place of the program. */
  endForProgram(): void;
}

/**
 * Decides who ends the writable side after the readable side has ended, so that the peer's Close is answered (RFC 6455 §5.5.1): the
 * WebSocket itself, in the same turn of the event loop, unless a chain of streams leads from its readable side back to its writable side. A
 * chain ends the writable side when its last stage has handed over what it still holds. There is a chain if
 *
 * - a stream that can be read is fed by `pipe()` or `pipeline()` from this WebSocket, and a stream that can be written is piped into it;
 * - a stream whose own writable side has ended is piped into it;
 * - an operator of Readable (`map()`, `filter()`, …) reads it, and a stream is piped into it;
 * - it is read as a stream, and something writes to it that listens for both 'drain' and 'finish', as `pipeline()` does for async generators,
 *   and a web stream.
 *
 * Everything else that is piped in is a feed: it has nothing to do with what is read, and is unpiped.
 */
export class HalfClose {
  readonly #owner: HalfCloseOwner;
  /** The streams that are piped into the WebSocket. */
  readonly #sources: Readable[] = [];
  /** The streams that the WebSocket is piped into. */
  readonly #destinations: Writable[] = [];
  #wasReadAsStream = false;
  #hasOperator = false;
  #closeWebStream: (() => void) | undefined;
  /** Lets the WebSocket emit 'finish'. */
  #finish: (() => void) | undefined;

  constructor(owner: HalfCloseOwner) {
    this.#owner = owner;
  }

  sourceAdded(source: Readable): void {
    this.#sources.push(source);
  }

  sourceRemoved(source: Readable): void {
    remove(this.#sources, source);
    if (!this.#chainWrites()) this.#finishNow();
    if (this.#owner.readableEnded) this.#endSoon();
  }

  destinationAdded(destination: Writable): void {
    this.#destinations.push(destination);
  }

  /** @param destination undefined: all of them */
  destinationRemoved(destination: Writable | undefined): void {
    if (destination === undefined) this.#destinations.length = 0;
    else remove(this.#destinations, destination);
  }

  /** @param close closes a web stream that reads the WebSocket, when everything has been read */
  webStreamAdded(close: () => void): void {
    this.#closeWebStream = close;
  }

  operatorAdded(): void {
    this.#hasOperator = true;
  }

  /** The readable side has ended, and everything has been read. */
  readingEnded(): void {
    this.#wasReadAsStream ||= this.#owner.isReadAsStream;
    this.#finishNow();
    if (this.#owner.loops === 0) this.#endSoon();
  }

  /** A loop has come to the end of the readable side. */
  loopEnded(): void {
    this.#wasReadAsStream = true;
    if (this.#owner.readableEnded && this.#owner.loops === 0) this.#endSoon();
  }

  /** The peer has closed, and nobody has begun to read what it sent. */
  nobodyReads(): void {
    this.#endSoon();
  }

  /** Whether a pipe, a pipeline or a web stream writes, which learns of the end of the connection by an error only. */
  get isWrittenByStream(): boolean {
    return this.#sources.length > 0 || this.#hasFollower;
  }

  /** The writable side has ended: lets go of the feeds, whose writes would only fail. */
  unpipeFeeds(writable: Writable): void {
    if (this.#sources.length === 0 || this.#isChain()) return;
    for (const source of [...this.#sources]) source.unpipe(writable);
  }

  /**
   * Our Close was sent: lets the WebSocket emit 'finish'. That makes Node unpipe a chain that still writes, which would then read no more,
   * so 'finish' waits until everything has been read.
   */
  finish(done: () => void): void {
    this.#finish = done;
    if (this.#owner.readableEnded || !this.#chainWrites()) this.#finishNow();
  }

  #finishNow(): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.();
  }

  /** Whether a chain writes whose last stage has not ended. */
  #chainWrites(): boolean {
    return this.#sources.some((source) => !source.readableEnded) && this.#isChain();
  }

  /** When this turn of the event loop is over, which leaves room for a last word of the program, and for `end()` of a pipe. */
  #endSoon(): void {
    const { allowHalfOpen } = this.#owner;
    if (allowHalfOpen === true) return;
    setImmediate(() => {
      this.#closeWebStream?.();
      this.#closeWebStream = undefined;
      if (allowHalfOpen === false || (this.#owner.loops === 0 && !this.#isChain())) this.#owner.endForProgram();
    });
  }

  #isChain(): boolean {
    const { length } = this.#sources;
    if (length === 0) return this.#hasFollower && (this.#wasReadAsStream || this.#owner.isReadAsStream);
    if (this.#hasOperator) return true;
    const leadsOn = this.#destinations.some(isReadable);
    return this.#sources.some((source) => isWritable(source) && (leadsOn || source.writableEnded));
  }

  /** A pipe listens for the same events, so it is asked for only where nothing is piped in. */
  get #hasFollower(): boolean {
    return this.#owner.listenerCount('drain') > 0 && this.#owner.listenerCount('finish') > 0;
  }
}

function isReadable(stream: Writable): boolean {
  return typeof (stream as { read?: unknown }).read === 'function';
}

function isWritable(stream: Readable): stream is Readable & Writable {
  return typeof (stream as { write?: unknown }).write === 'function';
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index !== -1) list.splice(index, 1);
}
