import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers';
import { closeCodes } from '../closeCodes';
import { checkClose } from '../codec/controlFrames';
import { checkOptions } from '../options';
import type { AnyWebSocket } from '../websocket/webSocket';
import type { WriteCallback } from '../websocket/writeQueue';
import { type BroadcastMessage, checkMember, isOpen, prepare } from './broadcast';
import type { BroadcastCounts, Entry } from './broadcastMember';
import { type BroadcastTotals, FanOut, type FanOutOwner } from './fanOut';

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
  readonly #fanOut: FanOut;
  readonly #waits: boolean;
  /** With the policy 'wait': the callback of the last message, which is called when no member lags any more. */
  #whenCaughtUp: WriteCallback | undefined;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: BroadcastStreamOptions = {}) {
    checkOptions(options, 'policy', 'limit', 'key', 'code', 'reason');
    checkClose(options.code ?? closeCodes.tryAgainLater, options.reason ?? '');
    // As on a WebSocket, write() returns false at the second message that has to wait.
    super({ objectMode: true, highWaterMark: 2 });
    // Each member that is piped into this stream adds listeners, and there may be any number of members.
    this.setMaxListeners(0);
    const { policy = 'wait' } = options;
    this.#waits = policy === 'wait';
    const owner: FanOutOwner = {
      lagging: (webSocket) => this.emit('lagging', webSocket),
      caughtUp: (webSocket) => {
        this.emit('caughtUp', webSocket);
        if (this.destroyed) this.delete(webSocket);
      },
      allCaughtUp: () => this.#allCaughtUp(),
      dropped: (webSocket, message) => this.emit('drop', webSocket, message),
      remove: (webSocket) => this.delete(webSocket),
    };
    this.#fanOut = new FanOut(owner, { ...options, policy });
  }

  /** The members: the WebSockets that the messages are sent to. The set changes when members are added or removed. */
  get members(): ReadonlySet<AnyWebSocket> {
    return this.#fanOut.webSockets;
  }

  /** The numbers of messages for all members so far, including former members. */
  get totals(): BroadcastTotals {
    return this.#fanOut.totals;
  }

  /** Returns the numbers of messages for one member; undefined if the WebSocket is no member. */
  stats(webSocket: AnyWebSocket): BroadcastCounts | undefined {
    return this.#fanOut.counts(webSocket);
  }

  /**
   * Makes a WebSocket a member until it closes. Does nothing if the WebSocket is closing already, or if this stream has
   * ended.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT if the argument is no WebSocket
   */
  add(webSocket: AnyWebSocket): this {
    checkMember(webSocket);
    if (!this.writable || !isOpen(webSocket)) return this;
    if (this.#fanOut.add(webSocket)) webSocket._core.closing.groups.add(this);
    return this;
  }

  /** Removes a member, and drops the messages that wait for it. Returns whether the WebSocket was a member. */
  delete(webSocket: AnyWebSocket): boolean {
    if (!this.#fanOut.webSockets.has(webSocket)) return false;
    webSocket._core.closing.groups.delete(this);
    return this.#fanOut.delete(webSocket);
  }

  /** @internal */
  override _write(message: unknown, _encoding: BufferEncoding, done: WriteCallback): void {
    let entry: Entry;
    try {
      entry = this.#fanOut.entry(message, prepare(message as BroadcastMessage));
    } catch (error) {
      return done(error as Error);
    }
    const justLagging = this.#fanOut.deliver(entry);
    if (this.#waits && this.#fanOut.lagging > 0) this.#whenCaughtUp = done;
    else if (justLagging) setImmediate(done);
    else done();
  }

  /** @internal */
  override _destroy(error: Error | null, done: WriteCallback): void {
    this.#fanOut.deleteIdle();
    done(error);
  }

  #allCaughtUp(): void {
    const done = this.#whenCaughtUp;
    this.#whenCaughtUp = undefined;
    done?.();
  }
}
