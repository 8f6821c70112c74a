import type { PreparedMessage } from '../framing/outgoingMessage';
import type { AnyWebSocket } from '../websocket/webSocket';
import type { WriteCallback } from '../websocket/writeQueue';

/** What has become of the messages for a member of a BroadcastStream. */
export interface BroadcastCounts {
  /** Messages that its WebSocket has taken. */
  readonly sent: number;
  /** Messages that it did not get because it lagged. */
  readonly dropped: number;
  /** Messages that wait until it has caught up. */
  readonly waiting: number;
}

/** One message on its way to the members. */
export interface Entry {
  /** As it was written. */
  readonly message: unknown;
  readonly prepared: PreparedMessage;
  /** Of each key one message waits for a member. */
  readonly key: unknown;
}

export class Member {
  sent = 0;
  dropped = 0;
  lags = false;
  /** In the order in which their keys began to wait. */
  readonly waiting = new Map<unknown, Entry>();
  /** Where the oldest is: a search from the start would pass the places of all that have gone. */
  #fromOldest: IterableIterator<Entry> | undefined;
  /** Messages that the WebSocket has and the transport has not. */
  #unsent = 0;
  /** Not a 'drain' listener: it would tell the WebSocket that a stream writes to it and will end it. */
  readonly #taken: WriteCallback;

  /** @param caughtUp called when it lags and the transport has taken all that it was given */
  constructor(
    readonly webSocket: AnyWebSocket,
    caughtUp: (member: Member) => void,
  ) {
    this.#taken = () => {
      this.#unsent--;
      if (this.lags && this.#unsent === 0) caughtUp(this);
    };
  }

  get counts(): BroadcastCounts {
    return { sent: this.sent, dropped: this.dropped, waiting: this.waiting.size };
  }

  /** Returns false if it should get no more for now. */
  send({ prepared }: Entry): boolean {
    this.sent++;
    this.#unsent++;
    return this.webSocket.write(prepared, this.#taken);
  }

  /** Takes the message that has waited longest. */
  takeOldest(): Entry | undefined {
    this.#fromOldest ??= this.waiting.values();
    const { value: oldest } = this.#fromOldest.next() as IteratorYieldResult<Entry | undefined>;
    if (oldest !== undefined) this.waiting.delete(oldest.key);
    // What has come to its end once does not look again.
    else this.#fromOldest = undefined;
    return oldest;
  }

  forgetWaiting(): void {
    this.waiting.clear();
    // It would keep what it has not passed.
    this.#fromOldest = undefined;
  }
}
