import type { PreparedMessage } from '../framing/outgoingMessage';
import type { AnyWebSocket } from '../websocket/webSocket';
import { onceDrained } from './drains';

/** The numbers of messages for one member of a BroadcastStream. */
export interface BroadcastCounts {
  /** Messages that were written to its WebSocket. */
  readonly sent: number;
  /** Messages that were dropped because the member lagged. */
  readonly dropped: number;
  /** Messages that wait until the member has caught up. */
  readonly waiting: number;
}

/** One message for all members. */
export interface Entry {
  /** The chunk that the program wrote. */
  readonly message: unknown;
  readonly prepared: PreparedMessage;
  /** The key of the message. For each key, at most one message waits for a member. */
  readonly key: unknown;
}

/** A WebSocket of a BroadcastStream, with the messages that wait while the member lags. */
export class Member {
  sent = 0;
  dropped = 0;
  /** Whether the member lags: `write()` has returned false, and not all written messages have been sent since. */
  lags = false;
  /** While the member lags: the last message that was written to it. */
  last: Entry | undefined;
  /** Whether it has fallen behind: it is given no more messages. */
  isBehind = false;
  /** The waiting messages by key, in the order in which the keys were added. */
  readonly waiting = new Map<unknown, Entry>();
  /**
   * The iterator at the oldest message. It is kept, because a new iterator would have to pass the places of all deleted
   * messages.
   */
  #fromOldest: IterableIterator<Entry> | undefined;
  /** Called when all written messages have been sent. */
  readonly #drained: () => void;

  readonly webSocket: AnyWebSocket;

  /** @param caughtUp called when the member lags and all written messages have been sent */
  constructor(webSocket: AnyWebSocket, caughtUp: (member: Member) => void) {
    this.webSocket = webSocket;
    this.#drained = () => {
      if (this.lags) caughtUp(this);
    };
  }

  get counts(): BroadcastCounts {
    return { sent: this.sent, dropped: this.dropped, waiting: this.waiting.size };
  }

  /** Writes a message. Returns false if the member lags from now on. */
  send(entry: Entry): boolean {
    this.sent++;
    if (this.webSocket.write(entry.prepared)) return true;
    this.last = entry;
    onceDrained(this.webSocket, this.#drained);
    return false;
  }

  /** Removes the message that has waited longest, and returns it; undefined if none waits. */
  takeOldest(): Entry | undefined {
    this.#fromOldest ??= this.waiting.values();
    const { value: oldest } = this.#fromOldest.next() as IteratorYieldResult<Entry | undefined>;
    if (oldest !== undefined) this.waiting.delete(oldest.key);
    // An iterator that has reached the end stays at the end, also if messages are added.
    else this.#fromOldest = undefined;
    return oldest;
  }

  forgetWaiting(): void {
    this.waiting.clear();
    // The iterator would keep the messages that it has not passed in memory.
    this.#fromOldest = undefined;
  }
}
