import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers';
import { closeCodes } from '../closeCodes';
import { checkClose } from '../codec/controlFrames';
import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import { checkOptions, defaults } from '../options';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import type { WriteCallback } from '../websocket/writeQueue';
import { type BroadcastMessage, carries, isOpen, prepare } from './broadcast';
import { type BroadcastCounts, type Entry, Member } from './broadcastMember';

/**
 * The policy for messages to a member that lags. A member lags when its `write()` has returned false, until all written
 * messages have been sent.
 */
export type BroadcastPolicy = 'wait' | 'drop-oldest' | 'keep-latest' | 'close';

/** The options of a BroadcastStream. */
export interface BroadcastStreamOptions {
  /**
   * `'wait'`: the writer waits until all members have caught up. `'drop-oldest'`: up to `limit` messages wait for the
   * member, then the oldest is dropped. `'keep-latest'`: the latest message of each `key` waits for the member.
   * `'close'`: up to `limit` messages wait for the member; at the next one the member is closed. Default `'wait'`.
   */
  policy?: BroadcastPolicy;
  /** The most messages that wait for a member, with `'drop-oldest'` and `'close'`. Default 16. */
  limit?: number;
  /**
   * Returns the key of a message. With `'keep-latest'`, a message replaces the waiting message with the same key.
   * Default: all messages have the same key.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the program knows what it writes
  key?: (message: any) => unknown;
  /** The close code for members that the policy `'close'` closes. Default 1013, try again later. */
  code?: number;
  /** The close reason for members that the policy `'close'` closes, at most 123 bytes of UTF-8. Default none. */
  reason?: string;
}

/** The sums over all members of a BroadcastStream, including former members. */
export interface BroadcastTotals extends BroadcastCounts {
  /** Members that were closed because they lagged. */
  readonly closed: number;
}

/**
 * A Writable for many WebSockets: each chunk is a message, which is encoded once and sent to every member. If it is
 * ended or destroyed, its members stay open, and messages that wait for members that lag are still sent.
 *
 * Events: 'lagging' and 'caughtUp' with the WebSocket, when a member begins to lag or has caught up; 'drop' with the
 * WebSocket and the message, when a waiting message is dropped because of a later one.
 * @example
 * const prices = new BroadcastStream({ policy: 'keep-latest', key: (price) => JSON.parse(price).symbol });
 * prices.add(res.webSocket.connect().resume());
 * source.pipe(prices);
 */
export class BroadcastStream extends Writable {
  readonly #policy: BroadcastPolicy;
  readonly #limit: number;
  readonly #key: ((message: unknown) => unknown) | undefined;
  readonly #code: number;
  readonly #reason: string;
  readonly #members = new Map<AnyWebSocket, Member>();
  readonly #webSockets = new Set<AnyWebSocket>();
  /** The number of members that lag. */
  #lagging = 0;
  /** Whether a member has begun to lag at the message that is being written. */
  #justLagging = false;
  /** With the policy 'wait': the callback of the last message, which is called when no member lags any more. */
  #whenCaughtUp: WriteCallback | undefined;
  #sent = 0;
  #dropped = 0;
  #closed = 0;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: BroadcastStreamOptions = {}) {
    checkOptions(options, 'policy', 'limit', 'key', 'code', 'reason');
    const { policy = 'wait', limit = defaults.lagLimit, key, code = closeCodes.tryAgainLater, reason = '' } = options;
    checkClose(code, reason);
    // As on a WebSocket, write() returns false at the second message that has to wait.
    super({ objectMode: true, highWaterMark: 2 });
    // Each member that is piped into this stream adds listeners, and there may be any number of members.
    this.setMaxListeners(0);
    this.#policy = policy;
    this.#limit = limit;
    this.#key = key;
    this.#code = code;
    this.#reason = reason;
  }

  /** The members: the WebSockets that the messages are sent to. The set changes when members are added or removed. */
  get members(): ReadonlySet<AnyWebSocket> {
    return this.#webSockets;
  }

  /** The numbers of messages for all members so far, including former members. */
  get totals(): BroadcastTotals {
    let waiting = 0;
    for (const member of this.#members.values()) waiting += member.waiting.size;
    return { sent: this.#sent, dropped: this.#dropped, waiting, closed: this.#closed };
  }

  /** Returns the numbers of messages for one member; undefined if the WebSocket is no member. */
  stats(webSocket: AnyWebSocket): BroadcastCounts | undefined {
    return this.#members.get(webSocket)?.counts;
  }

  /**
   * Makes a WebSocket a member until it closes. Does nothing if the WebSocket is closing already, or if this stream has
   * ended.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT if the argument is no WebSocket
   */
  add(webSocket: AnyWebSocket): this {
    if (!(webSocket instanceof WebSocket))
      throw new WebSocketError(
        'WS_ERR_INVALID_ARGUMENT',
        `a member must be a WebSocket, not ${describeValue(webSocket)}`,
      );
    if (this.#members.has(webSocket) || !this.writable || !isOpen(webSocket)) return this;
    this.#members.set(webSocket, new Member(webSocket, (member) => this.#catchUp(member)));
    this.#webSockets.add(webSocket);
    webSocket._groups.add(this);
    return this;
  }

  /** Removes a member, and drops the messages that wait for it. Returns whether the WebSocket was a member. */
  delete(webSocket: AnyWebSocket): boolean {
    const member = this.#members.get(webSocket);
    if (member === undefined) return false;
    this.#members.delete(webSocket);
    this.#webSockets.delete(webSocket);
    webSocket._groups.delete(this);
    this.#dropped += member.waiting.size;
    member.forgetWaiting();
    this.#lagsNoMore(member);
    return true;
  }

  /** @internal */
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
    // A member needs a turn of the event loop to catch up. Without this pause, a burst of messages would make every
    // member lag.
    else if (this.#justLagging) setImmediate(done);
    else done();
  }

  /** @internal */
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

  /**
   * Called when all messages that were written to a lagging member have been sent: writes the waiting messages until
   * the member lags again.
   */
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
