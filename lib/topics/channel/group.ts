import type { Entry } from '../../broadcast/broadcastMember';
import { FanOut, type FanOutOwner } from '../../broadcast/fanOut';
import { type AnyWebSocket, PreparedMessage } from '../../webSocketHandler';
import type { TopicMessage } from '../broker';
import type { AddOptions } from '../options';

/** Returns the message as it was published, encoded once for all groups. */
export type Plain = () => PreparedMessage;

const same = ['policy', 'format', 'limit', 'key', 'code', 'reason'] as const;

/** The live members of a topic that have the same options: each message is encoded once for all of them. */
export class Group {
  /** The number of members with these options, live or not. */
  users = 0;
  readonly #options: AddOptions;
  readonly #fanOut: FanOut;

  constructor(owner: FanOutOwner, options: AddOptions) {
    this.#options = options;
    const { policy = 'catch-up', limit, key, code, reason } = options;
    this.#fanOut = new FanOut(owner, { policy, limit, key: key as (message: unknown) => unknown, code, reason });
  }

  get webSockets(): ReadonlySet<AnyWebSocket> {
    return this.#fanOut.webSockets;
  }

  get totals() {
    return this.#fanOut.totals;
  }

  /** Whether members with these options belong here. */
  fits(options: AddOptions): boolean {
    return same.every((name) => options[name] === this.#options[name]);
  }

  add(webSocket: AnyWebSocket): void {
    this.#fanOut.add(webSocket);
  }

  delete(webSocket: AnyWebSocket): void {
    this.#fanOut.delete(webSocket);
  }

  counts(webSocket: AnyWebSocket) {
    return this.#fanOut.counts(webSocket);
  }

  /** Whether the member gets no live messages, because it has fallen behind. */
  isBehind(webSocket: AnyWebSocket): boolean {
    return this.#fanOut.isBehind(webSocket);
  }

  /** Returns a message for `deliver()`. Throws what the program's `format()` and `key()` throw. */
  entry(message: TopicMessage, plain: Plain): Entry {
    return this.#fanOut.entry(message, this.prepare(message, plain));
  }

  /** Returns whether a member has begun to lag. */
  deliver(entry: Entry): boolean {
    return this.#fanOut.deliver(entry);
  }

  /** Returns what is sent for a message. Throws what the program's `format()` throws. */
  prepare(message: TopicMessage, plain: Plain): PreparedMessage {
    const { format } = this.#options;
    return format === undefined ? plain() : new PreparedMessage(format(message));
  }
}
