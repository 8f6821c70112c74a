import { closeCodes } from '../closeCodes';
import type { PreparedMessage } from '../framing/outgoingMessage';
import { defaults } from '../options';
import type { AnyWebSocket } from '../websocket/webSocket';
import { carries, isOpen } from './broadcast';
import { type BroadcastCounts, type Entry, Member } from './broadcastMember';

/**
 * What happens to messages for a member that lags, and the options of that. With `'catch-up'`, up to `limit` messages wait for the member;
 * at the next one it falls behind: it gets no more messages, and its owner is told when it can take some.
 */
export interface LagOptions {
  readonly policy: 'wait' | 'drop-oldest' | 'keep-latest' | 'close' | 'catch-up';
  readonly limit?: number | undefined;
  readonly key?: ((message: unknown) => unknown) | undefined;
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
}

/** The sums over all members of a BroadcastStream, including former members. */
export interface BroadcastTotals extends BroadcastCounts {
  /** Members that were closed because they lagged. */
  readonly closed: number;
}

/** The owner of a FanOut: a BroadcastStream, or a topic. */
export interface FanOutOwner {
  /** Called when a member has begun to lag. The message that is being delivered was written to it. */
  lagging?(webSocket: AnyWebSocket): void;
  /** Called when a member has caught up, and no message waits for it any more. */
  caughtUp?(webSocket: AnyWebSocket): void;
  /** Called when no member lags any more. */
  allCaughtUp?(): void;
  /**
   * Called when a member that has fallen behind has sent all that was written to it. It gets nothing more until it is deleted and added again.
   * @param last the last message that was written to it
   */
  fellBehind?(webSocket: AnyWebSocket, last: unknown): void;
  /** Called when a waiting message was dropped because of a later one. */
  dropped?(webSocket: AnyWebSocket, message: unknown): void;
  /** Called when a member is not open any more, or must be closed. It calls `delete()` of the FanOut. */
  remove(webSocket: AnyWebSocket): void;
}

/** Writes each message to all members at once, and follows a policy for members that lag. */
export class FanOut {
  /** The members. */
  readonly webSockets: ReadonlySet<AnyWebSocket>;
  /** The number of members that lag. */
  lagging = 0;
  readonly #owner: FanOutOwner;
  readonly #policy: LagOptions['policy'];
  readonly #limit: number;
  readonly #key: ((message: unknown) => unknown) | undefined;
  readonly #code: number;
  readonly #reason: string;
  readonly #members = new Map<AnyWebSocket, Member>();
  readonly #webSockets = new Set<AnyWebSocket>();
  /** Whether a member has begun to lag at the message that is being delivered. */
  #justLagging = false;
  #sent = 0;
  #dropped = 0;
  #closed = 0;

  constructor(owner: FanOutOwner, options: LagOptions) {
    const { policy, limit = defaults.lagLimit, key, code = closeCodes.tryAgainLater, reason = '' } = options;
    this.#owner = owner;
    this.webSockets = this.#webSockets;
    this.#policy = policy;
    this.#limit = limit;
    this.#key = key;
    this.#code = code;
    this.#reason = reason;
  }

  get totals(): BroadcastTotals {
    let waiting = 0;
    for (const member of this.#members.values()) waiting += member.waiting.size;
    return { sent: this.#sent, dropped: this.#dropped, waiting, closed: this.#closed };
  }

  /** Returns the numbers of messages for one member; undefined if the WebSocket is no member. */
  counts(webSocket: AnyWebSocket): BroadcastCounts | undefined {
    return this.#members.get(webSocket)?.counts;
  }

  /** Whether a member has fallen behind. */
  isBehind(webSocket: AnyWebSocket): boolean {
    return this.#members.get(webSocket)?.isBehind === true;
  }

  /** Makes a WebSocket a member. Returns false if it is one already. */
  add(webSocket: AnyWebSocket): boolean {
    if (this.#members.has(webSocket)) return false;
    this.#members.set(webSocket, new Member(webSocket, (member) => this.#catchUp(member)));
    this.#webSockets.add(webSocket);
    return true;
  }

  /** Removes a member, and drops the messages that wait for it. Returns whether the WebSocket was a member. */
  delete(webSocket: AnyWebSocket): boolean {
    const member = this.#members.get(webSocket);
    if (member === undefined) return false;
    this.#members.delete(webSocket);
    this.#webSockets.delete(webSocket);
    this.#dropped += member.waiting.size;
    member.forgetWaiting();
    this.#lagsNoMore(member);
    return true;
  }

  /** Removes the members for which no message waits. */
  deleteIdle(): void {
    for (const { webSocket, waiting } of this.#members.values()) if (waiting.size === 0) this.#owner.remove(webSocket);
  }

  /**
   * Returns a message with its key, for `deliver()`. Throws what the program's `key()` throws.
   * @param message what the program has written: for its key, and for `dropped()` of the owner
   */
  entry(message: unknown, prepared: PreparedMessage): Entry {
    return { message, prepared, key: this.#policy === 'keep-latest' ? this.#key?.(message) : Symbol() };
  }

  /**
   * Writes a message to all members.
   * @returns whether a member has begun to lag. A member needs a turn of the event loop to catch up: without a pause, a burst of
   * messages would make every member lag
   */
  deliver(entry: Entry): boolean {
    this.#justLagging = false;
    for (const member of this.#members.values()) this.#deliverTo(member, entry);
    return this.#justLagging;
  }

  #deliverTo(member: Member, entry: Entry): void {
    const { webSocket } = member;
    if (!isOpen(webSocket)) this.#owner.remove(webSocket);
    else if (!carries(webSocket, entry.prepared)) return;
    else if (member.lags) this.#keep(entry, member);
    else if (!this.#send(entry, member)) {
      member.lags = this.#justLagging = true;
      this.lagging++;
      this.#owner.lagging?.(webSocket);
    }
  }

  #send(entry: Entry, member: Member): boolean {
    this.#sent++;
    return member.send(entry);
  }

  #keep(entry: Entry, member: Member): void {
    const { webSocket, waiting } = member;
    if (member.isBehind) return;
    const replaced = waiting.get(entry.key);
    waiting.set(entry.key, entry);
    if (replaced !== undefined) this.#drop(replaced, member);
    else if (this.#policy === 'keep-latest' || waiting.size <= this.#limit) return;
    else if (this.#policy === 'drop-oldest') this.#drop(member.takeOldest(), member);
    else if (this.#policy === 'catch-up') {
      member.isBehind = true;
      member.forgetWaiting();
    } else {
      this.#closed++;
      this.#owner.remove(webSocket);
      webSocket.close(this.#code, this.#reason);
    }
  }

  #drop(entry: Entry | undefined, member: Member): void {
    this.#dropped++;
    member.dropped++;
    this.#owner.dropped?.(member.webSocket, entry?.message);
  }

  /**
   * Called when all messages that were written to a lagging member have been sent: writes the waiting messages until
   * the member lags again.
   */
  #catchUp(member: Member): void {
    const { webSocket } = member;
    if (!isOpen(webSocket)) return this.#owner.remove(webSocket);
    if (member.isBehind) return this.#owner.fellBehind?.(webSocket, member.last?.message);
    for (let entry = member.takeOldest(); entry !== undefined; entry = member.takeOldest())
      if (!this.#send(entry, member)) return;
    this.#lagsNoMore(member);
    this.#owner.caughtUp?.(webSocket);
  }

  #lagsNoMore(member: Member): void {
    if (!member.lags) return;
    member.lags = false;
    member.last = undefined;
    this.lagging--;
    if (this.lagging === 0) this.#owner.allCaughtUp?.();
  }
}
