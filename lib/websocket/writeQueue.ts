import type { DataFrame, Outgoing } from '../contracts';
import { WebSocketError } from '../errors';
import { costOfOutgoing, messageSize, toOutgoing } from '../framing/outgoingMessage';
import type { ConnectionSettings } from '../options';
import { isMessageSource, type MessageSource, OutgoingSource } from './messageSources';

/** Called once with the fate of a message: without an error when its bytes have left to the operating system. */
export type WriteCallback = (error?: Error | null) => void;

/** What the queue sends through: a connection. */
export interface Outlet {
  /** Whether `offer()` takes nothing for now. */
  readonly isFull: boolean;
  /** Bytes that were taken and have not reached the operating system. */
  readonly bufferedAmount: number;
  /** Takes a message, or returns false. */
  offer(item: Outgoing, callback?: WriteCallback): boolean;
}

/** The WebSocket, as far as its write queue needs it. */
export interface WriteQueueOwner {
  readonly settings: ConnectionSettings;
  /** `write()` may be called again after it has returned false. */
  writersMayGoOn(): void;
  /** The outlet has taken a message. */
  messageSent(message: Outgoing): void;
  /**
   * A message cannot be sent, and the stream must end with this error.
   * @param fromSource whether it came from a source, which may have come from a peer
   */
  writeFailed(error: WebSocketError, fromSource?: boolean): void;
}

interface Entry {
  readonly item: Outgoing | OutgoingSource;
  readonly callback: WriteCallback | undefined;
  readonly size: number;
  readonly cost: number;
}

/** What an empty queue has, which takes no memory of its own. Never changed. */
const none: Entry[] = [];

/**
 * Keeps what was written and cannot leave yet, because the connection is not open or has enough. The writer may go on up to two marks: a
 * number of messages, and bytes of memory, those that the connection holds included.
 */
export class WriteQueue {
  /** Messages that were sent. */
  sent = 0;
  readonly #owner: WriteQueueOwner;
  #outlet: Outlet | undefined;
  #entries: Entry[] = none;
  /** A fragment of the source in front, which waits for room. */
  #fragment: { readonly item: DataFrame; readonly sent: WriteCallback } | undefined;
  #sourceInFront = false;
  #corked = false;
  #size = 0;
  #cost = 0;
  #needsDrain = false;
  #drainScheduled = false;
  #whenSent: (() => void) | undefined;

  constructor(owner: WriteQueueOwner) {
    this.#owner = owner;
  }

  /** Messages that wait. */
  get length(): number {
    return this.#entries.length;
  }

  /** Bytes that wait here and in the connection. */
  get bufferedAmount(): number {
    const fragment = this.#fragment === undefined ? 0 : messageSize(this.#fragment.item.payload);
    return this.#size + fragment + (this.#outlet?.bufferedAmount ?? 0);
  }

  /** Whether a writer was told to wait. */
  get needsDrain(): boolean {
    return this.#needsDrain;
  }

  /** From now on there is a connection to send through. */
  open(outlet: Outlet): void {
    this.#outlet = outlet;
    this.sendWaiting();
  }

  /** Takes a message. Returns false if the writer should wait. */
  write(chunk: unknown, callback: WriteCallback | undefined): boolean {
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

  /** Holds everything back until `uncork()`. */
  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    this.sendWaiting();
  }

  /** Calls back when everything that was written has been taken by the connection. Nothing is written after this. */
  end(whenSent: () => void): void {
    this.#whenSent = whenSent;
    this.#endIfSent();
  }

  /** There may be room for what waits. */
  sendWaiting(): void {
    this.#sendFragmentAgain();
    while (!this.#sourceInFront && !this.#corked && this.#sendFirst());
    this.#drainIfEmpty();
    this.#endIfSent();
  }

  /** Nothing more will be sent: every callback learns it, and every source. Default error: the WebSocket was destroyed. */
  fail(cause: Error | null = null): void {
    this.#whenSent = undefined;
    this.#failEntries(() => (cause instanceof WebSocketError ? cause : notSent('the WebSocket was destroyed', cause)));
  }

  /**
   * Fails everything that waits, and holds no writer back any more; the end of the queue, if it was asked for, is reached by that.
   * Default error: the connection ended.
   */
  drop(error?: WebSocketError): void {
    this.#failEntries(() => error ?? notSent('the connection ended'));
    this.#endIfSent();
    if (!this.#needsDrain) return;
    this.#needsDrain = false;
    process.nextTick(() => this.#owner.writersMayGoOn());
  }

  /** @param failure makes the error, whose stack takes time to collect; nearly always nothing waits */
  #failEntries(failure: () => WebSocketError): void {
    const entries = this.#entries;
    if (entries.length === 0) return;
    const error = failure();
    this.#entries = none;
    this.#size = this.#cost = 0;
    this.#fragment = undefined;
    for (const { item, callback } of entries) {
      // The source in front calls back itself.
      if (item instanceof OutgoingSource) item.stop(error);
      if (!(this.#sourceInFront && item === entries[0]?.item)) callLater(callback, error);
    }
    this.#sourceInFront = false;
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
    this.#sourceInFront = true;
    const { capabilities, maxMessageSize } = this.#owner.settings;
    source.send(
      (item, sent) => {
        this.#fragment = { item, sent };
        this.#sendFragmentAgain();
      },
      { capabilities, maxMessageSize },
      (error) => {
        // After fail(), what is in front is not this source any more.
        const isInFront = this.#entries[0]?.item === source;
        if (isInFront) {
          this.#sourceInFront = false;
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
    const fragment = this.#fragment;
    if (fragment === undefined || !this.#offer(fragment.item, undefined)) return;
    this.#fragment = undefined;
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

  /** Fails one message and, with it, the stream. */
  #fail(error: WebSocketError, callback: WriteCallback | undefined): boolean {
    callLater(callback, error);
    process.nextTick(() => this.#owner.writeFailed(error));
    return false;
  }

  /** What `write()` returns. */
  #mayGoOn(): boolean {
    if (this.#needsDrain) return false;
    if (this.#isEmpty) return true;
    const { messages, bytes } = this.#owner.settings.writableMarks;
    if (this.#entries.length < messages && this.#cost + (this.#outlet?.bufferedAmount ?? 0) < bytes) return true;
    this.#needsDrain = true;
    return false;
  }

  #drainIfEmpty(): void {
    if (!this.#needsDrain || this.#drainScheduled || !this.#isEmpty) return;
    this.#drainScheduled = true;
    // Not inside a call of the program, `uncork()` for example.
    process.nextTick(() => {
      this.#drainScheduled = false;
      // Unless somebody has written meanwhile.
      if (!this.#isEmpty || !this.#needsDrain) return;
      this.#needsDrain = false;
      this.#owner.writersMayGoOn();
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

/** A source that is refused before it is written learns it. */
export function refuseSource(source: MessageSource, error: WebSocketError): void {
  new OutgoingSource(source).stop(error);
}
