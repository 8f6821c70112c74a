import type { Duplex, Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers';
import type { WebSocketError } from '../errors';

type Listener = (error?: WebSocketError) => unknown;

/** A reader that is no pipe, and may belong to a chain. */
type Reader = 'loop' | 'webStream' | 'operator';

/** Shared by most WebSockets, to save memory. */
const noReaders: readonly Reader[] = [];

/**
 * A list without an array for one item, to save memory: most WebSockets have at most one source and one destination.
 */
type OneOrMany<T> = T | readonly T[] | undefined;

/** The properties of the WebSocket stream that HalfClose uses. */
export type HalfCloseStream = Pick<Duplex, 'readableEnded' | 'writableEnded' | 'destroyed' | 'listeners' | 'end'>;

/** The owner of a HalfClose: the core of a WebSocket. */
export interface HalfCloseOwner {
  /**
   * As Node's option: true if the program always ends the writable side, false if it ends together with the readable
   * side; undefined: HalfClose decides.
   */
  readonly settings: { readonly allowHalfOpen: boolean | undefined };
  /** The number of `for await` loops that read at the moment. */
  readonly readQueue: { readonly loops: number };
}

interface Wrappers {
  /** The HalfClose of the byte stream around the WebSocket, which the program uses instead of the WebSocket. */
  readonly successor?: HalfClose;
  /** Close the web streams that read the WebSocket. */
  readonly closeWebStreams?: (() => void)[];
}

/**
 * Decides who ends the writable side after the readable side has ended, so that the peer's Close frame is answered
 * (RFC 6455 §5.5.1). If a chain of streams leads from the readable side back to the writable side, the chain ends it
 * after its last message. Otherwise the WebSocket ends it itself, in the same turn of the event loop. There is a chain
 * if
 *
 * - a stream that can be read is fed by `pipe()` or `pipeline()` from this WebSocket, and a stream that can be written
 * is piped into it;
 * - a stream whose own writable side has ended is piped into it;
 * - an operator of Readable (`map()`, `filter()`, …) reads it, and a stream is piped into it;
 * - a loop reads it, and `pipeline()` writes to it for an async generator;
 * - a web stream reads it, and a web stream writes to it.
 *
 * Every other stream that is piped in is a feed: it does not depend on the received messages, and is unpiped.
 *
 * If there is a byte stream around the WebSocket, the HalfClose of the byte stream decides for both.
 */
export class HalfClose {
  readonly #stream: HalfCloseStream;
  readonly #owner: HalfCloseOwner;
  /** The streams that are piped into the WebSocket. */
  #sources: OneOrMany<Readable>;
  /** The streams that the WebSocket is piped into. */
  #destinations: OneOrMany<Writable>;
  #readers: readonly Reader[] = noReaders;
  /** Lets the WebSocket emit 'finish'. */
  #finish: (() => void) | undefined;
  /** Made when something reads the WebSocket in place of the program, to save the memory on pipes. */
  #wrappers: Wrappers | undefined;

  constructor(stream: HalfCloseStream, owner: HalfCloseOwner) {
    this.#stream = stream;
    this.#owner = owner;
  }

  /** Called when the program uses a byte stream around the WebSocket, whose HalfClose decides when to end both. */
  handOver(successor: HalfClose): void {
    this.#wrappers = { ...this.#wrappers, successor };
  }

  sourceAdded(source: Readable): void {
    this.#sources = withItem(this.#sources, source);
  }

  sourceRemoved(source: Readable): void {
    this.#sources = without(this.#sources, source);
    if (!this.#chainWrites()) this.#finishNow();
    if (this.#stream.readableEnded) this.#endSoon();
  }

  get hasDestinations(): boolean {
    return this.#destinations !== undefined;
  }

  destinationAdded(destination: Writable): void {
    this.#destinations = withItem(this.#destinations, destination);
  }

  /** @param destination undefined for all destinations */
  destinationRemoved(destination: Writable | undefined): void {
    // At the end of the readable side, Node unpipes the streams of `pipeline()`, but the later streams of the chain
    // still write.
    if (this.#stream.readableEnded) return;
    this.#destinations = destination === undefined ? undefined : without(this.#destinations, destination);
  }

  /** @param close closes a web stream that reads the WebSocket; called when everything has been read */
  webStreamAdded(close: () => void): void {
    this.#wrappers = { ...this.#wrappers, closeWebStreams: [...(this.#wrappers?.closeWebStreams ?? []), close] };
  }

  operatorAdded(): void {
    this.#note('operator');
  }

  /** Called when the readable side has emitted 'end'. */
  readingEnded(): void {
    if (this.#listeners('data').some(isOfWebStream)) this.#note('webStream');
    this.#finishNow();
    if (this.#owner.readQueue.loops === 0) this.#endSoon();
  }

  /** Called when a `for await` loop has reached the end of the readable side. */
  loopEnded(): void {
    this.#note('loop');
    if (this.#stream.readableEnded && this.#owner.readQueue.loops === 0) this.#endSoon();
  }

  /** Called when the peer has closed and nobody reads its messages, so that 'end' will not be emitted. */
  nobodyReads(): void {
    const successor = this.#wrappers?.successor;
    if (successor === undefined) this.#endSoon();
    else successor.nobodyReads();
  }

  /**
   * Calls the 'drain' listeners of `pipeline()` and of web streams after the stream was destroyed: they wait for
   * 'drain' and do not notice the destruction.
   */
  releaseWriters(error: WebSocketError): void {
    for (const listener of this.#listeners('drain')) {
      if (isOfPipeline(listener)) listener(error);
      else if (isOfWebStream(listener)) listener();
    }
  }

  /** Whether a chain leads from the readable side back to the writable side. */
  get isChain(): boolean {
    const successor = this.#wrappers?.successor;
    if (successor !== undefined) return successor.isChain;
    if (this.#sources === undefined) return this.#isChainWithoutPipe;
    if (this.#readers.includes('operator')) return true;
    const leadsOn = listOf(this.#destinations).some(isReadable);
    return listOf(this.#sources).some((source) => isWritable(source) && (leadsOn || source.writableEnded));
  }

  get #isChainWithoutPipe(): boolean {
    const writers = this.#listeners('drain');
    const isReadByLoop = this.#readers.includes('loop') || this.#owner.readQueue.loops > 0;
    if (isReadByLoop && writers.some(isOfPipeline)) return true;
    const isReadByWebStream = this.#readers.includes('webStream') || this.#listeners('data').some(isOfWebStream);
    return isReadByWebStream && writers.some(isOfWebStream);
  }

  /** Ends the writable side in place of the program. */
  endForProgram(): void {
    if (!this.#stream.writableEnded && !this.#stream.destroyed) this.#stream.end();
  }

  /** Unpipes the feeds after the writable side has ended, because their writes would fail. */
  unpipeFeeds(writable: Writable): void {
    if (this.#sources === undefined || this.isChain) return;
    for (const source of listOf(this.#sources)) source.unpipe(writable);
  }

  /**
   * Lets the WebSocket emit 'finish' after our Close frame was sent. At 'finish', Node unpipes a chain that still
   * writes, and the chain would then stop to read. So if a chain writes, 'finish' waits until everything has been read.
   */
  finish(done: () => void): void {
    this.#finish = done;
    if (this.#stream.readableEnded || !this.#chainWrites()) this.#finishNow();
  }

  #note(reader: Reader): void {
    this.#readers = [...this.#readers, reader];
  }

  #listeners(event: 'drain' | 'data'): readonly Listener[] {
    return this.#stream.listeners(event) as Listener[];
  }

  #finishNow(): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.();
  }

  /** Whether a chain writes through a pipe whose source has not ended. */
  #chainWrites(): boolean {
    return listOf(this.#sources).some((source) => !source.readableEnded) && this.isChain;
  }

  /**
   * Ends the writable side at the end of this turn of the event loop, so that 'end' listeners can still write a
   * message, and a pipe can call `end()`.
   */
  #endSoon(): void {
    const { allowHalfOpen } = this.#owner.settings;
    if (allowHalfOpen === true || this.#wrappers?.successor !== undefined) return;
    setImmediate(() => {
      // If the writable side has ended, closing the web stream makes Node throw; the web stream then closes at 'close'
      // of the Duplex.
      if (!this.#stream.writableEnded) for (const close of this.#wrappers?.closeWebStreams?.splice(0) ?? []) close();
      if (allowHalfOpen === false || (this.#owner.readQueue.loops === 0 && !this.isChain)) this.endForProgram();
    });
  }
}

/** `pipeline()` that writes for an async generator waits for 'drain' with a function that takes an error. */
function isOfPipeline(listener: Listener): boolean {
  return listener.length > 0;
}

/** The web streams that Node makes of a Duplex listen for 'data' and 'drain' with functions of these names. */
function isOfWebStream(listener: Listener): boolean {
  return listener.name === 'onData' || listener.name === 'onDrain';
}

function isReadable(stream: Writable): boolean {
  return typeof (stream as { read?: unknown }).read === 'function';
}

function isWritable(stream: Readable): stream is Readable & Writable {
  return typeof (stream as { write?: unknown }).write === 'function';
}

function listOf<T extends object>(items: OneOrMany<T>): readonly T[] {
  if (items === undefined) return [];
  return Array.isArray(items) ? (items as readonly T[]) : [items as T];
}

function withItem<T extends object>(items: OneOrMany<T>, item: T): OneOrMany<T> {
  return items === undefined ? item : [...listOf(items), item];
}

function without<T extends object>(items: OneOrMany<T>, item: T): OneOrMany<T> {
  const list = listOf(items);
  const index = list.indexOf(item);
  const others = list.filter((_each, i) => i !== index);
  return others.length > 1 ? others : others[0];
}
