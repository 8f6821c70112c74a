import type { PreparedMessage } from '../framing/outgoingMessage';
import type { AnyWebSocket } from '../websocket/webSocket';
import type { WriteCallback } from '../websocket/writeQueue';

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
  /** For each key one message at the most waits for a member. */
  readonly key: unknown;
}

/** One WebSocket of a BroadcastStream, with the messages that wait for it while it lags. */
export class Member {
  sent = 0;
  dropped = 0;
  /** `write()` has returned false, and the member has not sent everything since. */
  lags = false;
  /** The messages that wait, by key, in the order in which the keys began to wait. */
  readonly waiting = new Map<unknown, Entry>();
  /** Points to the oldest message: a new iterator would pass the places of all messages that were deleted before. */
  #fromOldest: IterableIterator<Entry> | undefined;
  /** Messages that were written to the WebSocket and have not left to the operating system. */
  #unsent = 0;
  /** The callback of every message. Not a 'drain' listener: a member of many groups would have as many, and Node warns of the eleventh. */
  readonly #taken: WriteCallback;

  readonly webSocket: AnyWebSocket;

  /** @param caughtUp called when the member lags and everything that was written to it has left */
  constructor(webSocket: AnyWebSocket, caughtUp: (member: Member) => void) {
    this.webSocket = webSocket;
    this.#taken = () => {
      this.#unsent--;
      if (this.lags && this.#unsent === 0) caughtUp(this);
    };
  }

  get counts(): BroadcastCounts {
    return { sent: this.sent, dropped: this.dropped, waiting: this.waiting.size };
  }

  /** Writes a message. Returns false if the member lags from now on. */
  send({ prepared }: Entry): boolean {
    this.sent++;
    this.#unsent++;
    return this.webSocket.write(prepared, this.#taken);
  }

  /** Removes the message that has waited longest, and returns it; undefined if none waits. */
  takeOldest(): Entry | undefined {
    this.#fromOldest ??= this.waiting.values();
    const { value: oldest } = this.#fromOldest.next() as IteratorYieldResult<Entry | undefined>;
    if (oldest !== undefined) this.waiting.delete(oldest.key);
    // An iterator that has come to its end stays there, also if messages are added.
    else this.#fromOldest = undefined;
    return oldest;
  }

  forgetWaiting(): void {
    this.waiting.clear();
    // The iterator would keep the messages that it has not passed.
    this.#fromOldest = undefined;
  }
}
