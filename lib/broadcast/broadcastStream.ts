import { Writable } from 'node:stream';
import { closeCodes } from '../closeCodes';
import { checkClose } from '../codec/controlFrames';
import { WebSocketError } from '../errors';
import { checkOptions, defaults } from '../options';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import type { WriteCallback } from '../websocket/writeQueue';
import { type BroadcastMessage, carries, isOpen, prepare } from './broadcast';
import { type BroadcastCounts, type Entry, Member } from './broadcastMember';
import { join, leave } from './memberships';

/** What becomes of the messages for a member that lags: its `write()` has returned false, and it has not caught up since. */
export type BroadcastPolicy = 'wait' | 'drop-oldest' | 'keep-latest' | 'close';

export interface BroadcastStreamOptions {
  /**
   * `'wait'`, the default: the writer is held back until all have caught up. `'drop-oldest'`: up to `limit` messages wait for the
   * member, and the oldest goes. `'keep-latest'`: the latest of each `key` waits for it. `'close'`: up to `limit` messages wait
   * for it; with one more it is closed.
   */
  policy?: BroadcastPolicy;
  /** How many messages wait for a member, with `'drop-oldest'` and `'close'`. Default 16. */
  limit?: number;
  /** What a message is about: with `'keep-latest'` it replaces one with the same key. Default: all are about the same. */
  // biome-ignore lint/suspicious/noExplicitAny: the program knows what it writes
  key?: (message: any) => unknown;
  /** The close code of `'close'`. Default 1013, try again later. */
  code?: number;
  /** Its close reason. Default none. */
  reason?: string;
}

/** The counts of all members together, with those of members that have left. */
export interface BroadcastTotals extends BroadcastCounts {
  /** Members that were closed because they lagged. */
  readonly closed: number;
}

/**
 * A Writable for many WebSockets: each chunk is a message, which is encoded once and goes to every member. Its end is not theirs,
 * and neither is its destruction: they stay open, and what waits for one that lags still goes out.
 */
export class BroadcastStream extends Writable {
  readonly #policy: BroadcastPolicy;
  readonly #limit: number;
  readonly #key: ((message: unknown) => unknown) | undefined;
  readonly #code: number;
  readonly #reason: string;
  readonly #members = new Map<AnyWebSocket, Member>();
  readonly #webSockets = new Set<AnyWebSocket>();
  #lagging = 0;
  /** A member has begun to lag over the message in hand. */
  #justLagging = false;
  /** Tells the writer, which waits for that, that nobody lags any more. */
  #whenCaughtUp: WriteCallback | undefined;
  #sent = 0;
  #dropped = 0;
  #closed = 0;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: BroadcastStreamOptions = {}) {
    checkOptions(options, 'policy', 'limit', 'key', 'code', 'reason');
    const { policy = 'wait', limit = defaults.lagLimit, key, code = closeCodes.tryAgainLater, reason = '' } = options;
    checkClose(code, reason);
    // As a WebSocket: the second message that has to wait tells the writer.
    super({ objectMode: true, highWaterMark: 2 });
    // Each member that is piped into it adds listeners, and there may be any number of members.
    this.setMaxListeners(0);
    this.#policy = policy;
    this.#limit = limit;
    this.#key = key;
    this.#code = code;
    this.#reason = reason;
  }

  /** Live. */
  get members(): ReadonlySet<AnyWebSocket> {
    return this.#webSockets;
  }

  get totals(): BroadcastTotals {
    let waiting = 0;
    for (const member of this.#members.values()) waiting += member.waiting.size;
    return { sent: this.#sent, dropped: this.#dropped, waiting, closed: this.#closed };
  }

  /** The counts of a member; undefined of others. */
  stats(webSocket: AnyWebSocket): BroadcastCounts | undefined {
    return this.#members.get(webSocket)?.counts;
  }

  /**
   * Sends messages to this WebSocket too, until it closes. Without effect if it is closing already, or if this stream has ended.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  add(webSocket: AnyWebSocket): this {
    if (!(webSocket instanceof WebSocket))
      throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'a member is a WebSocket');
    if (this.#members.has(webSocket) || !this.writable || !isOpen(webSocket)) return this;
    this.#members.set(webSocket, new Member(webSocket, (member) => this.#catchUp(member)));
    this.#webSockets.add(webSocket);
    join(webSocket, this);
    return this;
  }

  /** Sends nothing more to this WebSocket, nor what waits for it. Returns whether it was a member. */
  delete(webSocket: AnyWebSocket): boolean {
    const member = this.#members.get(webSocket);
    if (member === undefined) return false;
    this.#members.delete(webSocket);
    this.#webSockets.delete(webSocket);
    leave(webSocket, this);
    this.#dropped += member.waiting.size;
    member.forgetWaiting();
    this.#lagsNoMore(member);
    return true;
  }

  override _write(message: unknown, _encoding: BufferEncoding, done: WriteCallback): void {
    let entry: Entry;
    try {
      entry = this.#entryFor(message);
    } catch (error) {
      return done(error as Error);
    }
    this.#justLagging = false;
    for (const member of this.#members.values()) this.#deliver(entry, member);
    if (this.#policy === 'wait' && this.#lagging > 0) this.#whenCaughtUp = done;
    // A member that reads needs a turn of the event loop to show it: a burst of messages makes nobody lag.
    else if (this.#justLagging) setImmediate(done);
    else done();
  }

  override _destroy(error: Error | null, done: WriteCallback): void {
    for (const { webSocket, waiting } of this.#members.values()) if (waiting.size === 0) this.delete(webSocket);
    done(error);
  }

  #entryFor(message: unknown): Entry {
    const prepared = prepare(message as BroadcastMessage);
    return { message, prepared, key: this.#policy === 'keep-latest' ? this.#key?.(message) : Symbol() };
  }

  #deliver(entry: Entry, member: Member): void {
    const { webSocket } = member;
    if (!isOpen(webSocket)) this.delete(webSocket);
    else if (!carries(webSocket, entry.prepared)) return;
    else if (member.lags) this.#keep(entry, member);
    else if (!this.#send(entry, member)) {
      member.lags = this.#justLagging = true;
      this.#lagging++;
      this.emit('lagging', webSocket);
    }
  }

  #send(entry: Entry, member: Member): boolean {
    this.#sent++;
    return member.send(entry);
  }

  #keep(entry: Entry, member: Member): void {
    const { webSocket, waiting } = member;
    const replaced = waiting.get(entry.key);
    waiting.set(entry.key, entry);
    if (replaced !== undefined) this.#drop(replaced, member);
    else if (this.#policy === 'keep-latest' || waiting.size <= this.#limit) return;
    else if (this.#policy === 'drop-oldest') this.#drop(member.takeOldest(), member);
    else {
      this.#closed++;
      this.delete(webSocket);
      webSocket.close(this.#code, this.#reason);
    }
  }

  #drop(entry: Entry | undefined, member: Member): void {
    this.#dropped++;
    member.dropped++;
    this.emit('drop', member.webSocket, entry?.message);
  }

  /** The WebSocket has no message left, and gets what has been waiting for that. */
  #catchUp(member: Member): void {
    const { webSocket } = member;
    if (!isOpen(webSocket)) {
      this.delete(webSocket);
      return;
    }
    for (let entry = member.takeOldest(); entry !== undefined; entry = member.takeOldest())
      if (!this.#send(entry, member)) return;
    this.#lagsNoMore(member);
    this.emit('caughtUp', webSocket);
    if (this.destroyed) this.delete(webSocket);
  }

  #lagsNoMore(member: Member): void {
    if (!member.lags) return;
    member.lags = false;
    this.#lagging--;
    if (this.#lagging > 0) return;
    const done = this.#whenCaughtUp;
    this.#whenCaughtUp = undefined;
    done?.();
  }
}
