import { finished, type Readable } from 'node:stream';

/** The properties of a Readable that the iterator uses. */
export type IteratedStream = Pick<Readable, 'read' | 'on' | 'removeListener' | 'destroyed' | 'destroy'>;

/** The parts of a stream that learn of its loops. */
export interface LoopOwner {
  /** Counts the loops that read at the moment. */
  readonly readQueue: { loopStarted(): void; loopEnded(): void };
  /** Learns that a loop has reached the end of the readable side. */
  readonly halfClose: { loopEnded(): void };
}

interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Iterates over the chunks of a Readable. Leaving the loop early destroys the stream, and so does an error; reaching
 * the end does not.
 *
 * It does what Node's own iterator does with `destroyOnReturn: false`. An async generator around that one, which would
 * be needed to call the owner, makes a loop over small messages take a tenth longer.
 */
export class ReadableIterator<T> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #stream: IteratedStream;
  readonly #owner: LoopOwner;
  #state: 'new' | 'reading' | 'over' = 'new';
  /** How the readable side has ended: with an error, or in order (null). */
  #end: Error | null | undefined;
  #stopWatching: (() => void) | undefined;
  /** The calls of `next()` that have no result yet. */
  readonly #waiting: Waiting<T>[] = [];

  constructor(stream: IteratedStream, owner: LoopOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#state === 'new') this.#start();
    if (this.#state === 'over') return Promise.resolve(done);
    const chunk = this.#waiting.length === 0 ? this.#read() : null;
    if (chunk !== null) return Promise.resolve({ done: false, value: chunk });
    const result = new Promise<IteratorResult<T, undefined>>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    if (this.#end !== undefined) this.#finish();
    return result;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#leave();
    return done;
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.#leave();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
  }

  #start(): void {
    this.#state = 'reading';
    this.#owner.readQueue.loopStarted();
    this.#stream.on('readable', this.#serve);
    this.#stopWatching = finished(this.#stream as Readable, { writable: false }, (error) => {
      this.#end = error ?? null;
      this.#serve();
    });
  }

  /** A destroyed stream drops the chunks in its queue. */
  #read(): T | null {
    return this.#stream.destroyed ? null : this.#stream.read();
  }

  readonly #serve = (): void => {
    while (this.#waiting.length > 0) {
      const chunk = this.#read();
      if (chunk === null) break;
      this.#waiting.shift()?.resolve({ done: false, value: chunk });
    }
    if (this.#end !== undefined && this.#waiting.length > 0) this.#finish();
  };

  /** Tells the first waiting call how the readable side has ended, and the others that there is nothing more. */
  #finish(): void {
    const error = this.#end ?? undefined;
    const first = this.#waiting.shift();
    this.#stop(error === undefined);
    if (error === undefined) first?.resolve(done);
    else first?.reject(error);
  }

  #leave(): void {
    if (this.#state === 'reading') this.#stop(false);
    this.#state = 'over';
  }

  #stop(hasFinished: boolean): void {
    this.#state = 'over';
    this.#stream.removeListener('readable', this.#serve);
    this.#stopWatching?.();
    this.#owner.readQueue.loopEnded();
    if (hasFinished) this.#owner.halfClose.loopEnded();
    else this.#stream.destroy();
    for (const { resolve } of this.#waiting.splice(0)) resolve(done);
  }
}

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });
