import { isBytes } from '../codec/bytes';
import type { DataFrame, Outgoing } from '../contracts';
import { WebSocketError } from '../errors';
import { costOfOutgoing, messageSize, toOutgoing } from '../framing/outgoingMessage';
import type { ConnectionSettings } from '../options';
import { isMessageSource, type MessageSource, OutgoingSource } from './messageSources';

/**
 * Called once for a message: without an error when its bytes have reached the operating system, otherwise with the
 * error.
 */
export type WriteCallback = (error?: Error | null) => void;

/** The methods of the ByteOutput of a connection that the WriteQueue uses. */
export interface Outlet {
  /** Whether `offer()` returns false at the moment because the byte stream is full. */
  readonly isFull: boolean;
  /** Bytes that were accepted and have not reached the operating system. */
  readonly bufferedAmount: number;
  /** Sends a message. If the byte stream is full or has closed, does nothing and returns false. */
  offer(item: Outgoing, callback?: WriteCallback): boolean;
}

/** The owner of a WriteQueue: the core of a WebSocket. */
export interface WriteQueueOwner {
  readonly settings: ConnectionSettings;
  /** Called when writers may go on after `write()` has returned false. */
  writersMayGoOn(): void;
  /** Called when the connection has accepted a message. */
  messageSent(message: Outgoing): void;
  /**
   * Called when a message cannot be sent, and the stream must be destroyed with this error.
   * @param fromSource whether the message is a message source, whose pieces a peer may have sent
   */
  writeFailed(error: WebSocketError, fromSource?: boolean): void;
}

interface Entry {
  readonly item: Outgoing | OutgoingSource;
  readonly callback: WriteCallback | undefined;
  readonly size: number;
  readonly cost: number;
}

interface Fragment {
  readonly item: DataFrame;
  /** Called when the connection has accepted it. */
  readonly sent: () => void;
}

/** The shared array of all empty queues, to save memory. It is never changed. */
const none: Entry[] = [];

/**
 * Keeps written messages that cannot be sent yet, because the connection is not open or the byte stream is full.
 * `write()` returns true up to two high water marks: a number of messages, and bytes of memory, including those that
 * the connection holds.
 */
export class WriteQueue {
  /** The number of messages that the connection has accepted. */
  sent = 0;
  readonly #owner: WriteQueueOwner;
  #outlet: Outlet | undefined;
  #entries: Entry[] = none;
  /**
   * The first entry: `'message'`, also if the queue is empty; `'source'`: a source that is being sent; or the fragment of
   * this source that waits until the byte stream has drained.
   */
  #front: 'message' | 'source' | Fragment = 'message';
  #corked = false;
  #size = 0;
  #cost = 0;
  /**
   * `'needed'`: `write()` has returned false, and 'drain' has not been emitted since; `'scheduled'`: it will be emitted
   * in this tick if the queue stays empty.
   */
  #drain: 'no' | 'needed' | 'scheduled' = 'no';
  #whenSent: (() => void) | undefined;

  constructor(owner: WriteQueueOwner) {
    this.#owner = owner;
  }

  /** The number of messages in the queue. */
  get length(): number {
    return this.#entries.length;
  }

  /** Bytes that wait in the queue and in the connection. */
  get bufferedAmount(): number {
    const fragment = typeof this.#front === 'object' ? messageSize(this.#front.item.payload) : 0;
    return this.#size + fragment + (this.#outlet?.bufferedAmount ?? 0);
  }

  /** Whether `write()` has returned false, and 'drain' has not been emitted since. */
  get needsDrain(): boolean {
    return this.#drain !== 'no';
  }

  /** Sets the connection to send through, and sends what waits. */
  open(outlet: Outlet): void {
    this.#outlet = outlet;
    this.sendWaiting();
  }

  /** Sends or queues a message. Returns false if the writer should wait for 'drain'. */
  write(chunk: unknown, callback: WriteCallback | undefined): boolean {
    // Most messages are strings or bytes and can be sent at once. To look at them no further saves a twentieth of the time
    // of a small echo.
    const isPlain = typeof chunk === 'string' || isBytes(chunk);
    if (isPlain && this.#entries.length === 0 && !this.#corked && this.#offer(chunk, callback)) return this.#mayGoOn();
    const item = isMessageSource(chunk) ? new OutgoingSource(chunk) : toOutgoing(chunk);
    if (item instanceof WebSocketError) return this.#fail(item, callback);
    const isSource = item instanceof OutgoingSource;
    if (!isSource && this.#entries.length === 0 && !this.#corked && this.#offer(item, callback)) return this.#mayGoOn();
    const { maxBufferedAmount } = this.#owner.settings;
    if (this.bufferedAmount > maxBufferedAmount) {
      if (isSource) item.stop(tooMuchWaits(maxBufferedAmount));
      return this.#fail(tooMuchWaits(maxBufferedAmount), callback);
    }
    const size = isSource ? 0 : messageSize(chunk);
    const cost = isSource ? 0 : costOfOutgoing(chunk);
    if (this.#entries === none) this.#entries = [];
    this.#entries.push({ item, callback, size, cost });
    this.#size += size;
    this.#cost += cost;
    if (isSource) this.sendWaiting();
    return this.#mayGoOn();
  }

  /** Queues all messages until `uncork()` is called. */
  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    this.sendWaiting();
  }

  /** Calls `whenSent` when the connection has accepted all messages. No message is written after this call. */
  end(whenSent: () => void): void {
    this.#whenSent = whenSent;
    this.#endIfSent();
  }

  /** Sends messages from the queue until the byte stream is full. */
  sendWaiting(): void {
    this.#sendFragmentAgain();
    while (this.#front === 'message' && !this.#corked && this.#sendFirst());
    this.#drainIfEmpty();
    this.#endIfSent();
  }

  /**
   * Fails all messages in the queue: calls their callbacks with an error and stops the sources. Default error: the
   * WebSocket was destroyed.
   */
  fail(cause: Error | null = null): void {
    this.#whenSent = undefined;
    this.#failEntries(() => (cause instanceof WebSocketError ? cause : notSent('the WebSocket was destroyed', cause)));
  }

  /**
   * Fails all messages in the queue, and lets the writers go on. If `end()` was called, its callback is called now.
   * Default error: the connection ended.
   */
  drop(error?: WebSocketError): void {
    this.#failEntries(() => error ?? notSent('the connection ended'));
    this.#endIfSent();
    if (!this.needsDrain) return;
    this.#drain = 'no';
    process.nextTick(() => this.#owner.writersMayGoOn());
  }

  /**
   * @param failure makes the error. It is called only if messages wait, which is rare, because collecting the stack of
   * an error takes time
   */
  #failEntries(failure: () => WebSocketError): void {
    const entries = this.#entries;
    if (entries.length === 0) return;
    const error = failure();
    this.#entries = none;
    this.#size = this.#cost = 0;
    const sourceInFront = this.#front !== 'message';
    this.#front = 'message';
    for (const { item, callback } of entries) {
      // The first source, which is being sent, calls its callback itself.
      if (item instanceof OutgoingSource) item.stop(error);
      if (!(sourceInFront && item === entries[0]?.item)) callLater(callback, error);
    }
  }

  #sendFirst(): boolean {
    const entry = this.#entries[0];
    if (entry === undefined || this.#outlet === undefined) return false;
    if (entry.item instanceof OutgoingSource) {
      this.#sendSource(entry.item, entry.callback);
      return false;
    }
    if (!this.#offer(entry.item, entry.callback)) return false;
    this.#removeFirst();
    return true;
  }

  #removeFirst(): void {
    const { size, cost } = this.#entries.shift() as Entry;
    if (this.#entries.length === 0) this.#entries = none;
    this.#size -= size;
    this.#cost -= cost;
  }

  #sendSource(source: OutgoingSource, callback: WriteCallback | undefined): void {
    this.#front = 'source';
    const { capabilities, maxMessageSize } = this.#owner.settings;
    source.send(
      (item, sent) => {
        this.#front = { item, sent };
        this.#sendFragmentAgain();
      },
      { capabilities, maxMessageSize },
      (error) => {
        // After fail(), this source is not the first entry any more.
        const isInFront = this.#entries[0]?.item === source;
        if (isInFront) {
          this.#front = 'message';
          this.#removeFirst();
        }
        callLater(callback, error ?? null);
        if (!isInFront) return;
        if (error !== undefined) this.#owner.writeFailed(error, true);
        else this.sendWaiting();
      },
    );
  }

  #sendFragmentAgain(): void {
    const fragment = this.#front;
    if (typeof fragment !== 'object' || !this.#offer(fragment.item, undefined)) return;
    this.#front = 'source';
    fragment.sent();
  }

  #offer(item: Outgoing, callback: WriteCallback | undefined): boolean {
    if (this.#outlet?.offer(item, callback) !== true) return false;
    const isLast = typeof item !== 'object' || !('fin' in item) || item.fin !== false;
    if (isLast) {
      this.sent++;
      this.#owner.messageSent(item);
    }
    return true;
  }

  /** Fails one message, and destroys the stream with the error. */
  #fail(error: WebSocketError, callback: WriteCallback | undefined): boolean {
    callLater(callback, error);
    process.nextTick(() => this.#owner.writeFailed(error));
    return false;
  }

  /** Returns the return value of `write()`, and notes if the writer has to wait. */
  #mayGoOn(): boolean {
    if (this.needsDrain) return false;
    if (this.#isEmpty) return true;
    const { messages, bytes } = this.#owner.settings.writableMarks;
    if (this.#entries.length < messages && this.#cost + (this.#outlet?.bufferedAmount ?? 0) < bytes) return true;
    this.#drain = 'needed';
    return false;
  }

  #drainIfEmpty(): void {
    if (this.#drain !== 'needed' || !this.#isEmpty) return;
    this.#drain = 'scheduled';
    // nextTick(), because this may be inside of a call of the program, such as `uncork()`.
    process.nextTick(() => {
      if (this.#drain !== 'scheduled') return;
      // The program may have written since.
      this.#drain = this.#isEmpty ? 'no' : 'needed';
      if (this.#drain === 'no') this.#owner.writersMayGoOn();
    });
  }

  get #isEmpty(): boolean {
    return this.#entries.length === 0 && this.#outlet?.isFull === false;
  }

  #endIfSent(): void {
    if (this.#whenSent === undefined || this.#entries.length > 0 || this.#outlet === undefined) return;
    const whenSent = this.#whenSent;
    this.#whenSent = undefined;
    whenSent();
  }
}

function tooMuchWaits(limit: number): WebSocketError {
  return new WebSocketError('WS_ERR_BUFFER_FULL', `more than maxBufferedAmount, ${limit} bytes, wait for the peer`);
}

function notSent(why: string, cause: Error | null = null): WebSocketError {
  return new WebSocketError('WS_ERR_NOT_OPEN', `${why} before the message was sent`, cause === null ? {} : { cause });
}

function callLater(callback: WriteCallback | undefined, error: Error | null): void {
  if (callback !== undefined) process.nextTick(callback, error);
}

/** Cancels a source that is refused. */
export function refuseSource(source: MessageSource, error: WebSocketError): void {
  new OutgoingSource(source).stop(error);
}
