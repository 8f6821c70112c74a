import { onAbort } from '../../client/abortSignals';
import type { TopicMessage } from '../broker';
import { type Position, parseCursor, toCursor } from '../cursor';
import type { Link } from './link';
import type { RecentMessages } from './recent';

interface Wish {
  readonly position: Position;
  readonly signal: AbortSignal;
  readonly done: () => void;
}

/**
 * Reads the messages before the recent ones, once for all members that come back at the same time, as they do when a deployment has moved
 * them to a process that has just begun to read the topic.
 */
export class Recall {
  readonly #link: Link;
  readonly #topic: string;
  readonly #recent: RecentMessages;
  readonly #live: () => Position | undefined;
  #wishes: Wish[] = [];
  #running = false;
  /** So far before the recent messages that there was no room for those between. */
  #tooFar: Position | undefined;

  /** @param live returns the position of the live messages */
  constructor(link: Link, topic: string, recent: RecentMessages, live: () => Position | undefined) {
    this.#link = link;
    this.#topic = topic;
    this.#recent = recent;
    this.#live = live;
  }

  /** Resolves when the recent messages continue this position, and also if they cannot: then the member must read by itself. */
  async reach(position: Position, signal: AbortSignal): Promise<void> {
    if (this.#isTooFar(position)) return;
    await new Promise<void>((done) => {
      this.#wishes.push({ position, signal, done });
      if (!this.#running) void this.#run();
    });
  }

  #isTooFar({ epoch, offset }: Position): boolean {
    return this.#tooFar?.epoch === epoch && offset <= this.#tooFar.offset;
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Members that have waited for the same answer of the broker come one after the other.
    await Promise.resolve();
    while (this.#wishes.length > 0) {
      const wishes = this.#wishes;
      this.#wishes = [];
      await this.#fulfil(wishes.filter(({ signal }) => !signal.aborted));
      for (const { done } of wishes) done();
    }
    this.#running = false;
  }

  async #fulfil(wishes: readonly Wish[]): Promise<void> {
    const positions = wishes.map(({ position }) => position).filter((each) => this.#endOfGap(each) !== undefined);
    const [farthest] = positions.sort((one, other) => one.offset - other.offset);
    if (farthest === undefined) return;
    const stopping = new AbortController();
    let waiting = wishes.length;
    const forget = wishes.map(({ signal }) =>
      onAbort(signal, () => {
        if (--waiting === 0) stopping.abort();
      }),
    );
    // If it fails, each member finds out by itself, and says so.
    await this.#read(farthest, stopping.signal).catch(() => {});
    for (const each of forget) each();
  }

  /** Returns the position up to which messages are missing behind this one; undefined if none are, or if the log is another one. */
  #endOfGap({ epoch, offset }: Position): Position | undefined {
    const end = this.#recent.start ?? this.#live();
    return end?.epoch === epoch && offset < end.offset ? end : undefined;
  }

  async #read(after: Position, signal: AbortSignal): Promise<void> {
    const messages: TopicMessage[] = [];
    let bytes = 0;
    for await (const message of this.#link.broker.read(this.#topic, toCursor(after), signal)) {
      const { offset } = parseCursor(message.id) as Position;
      // It may have become another one meanwhile.
      const end = this.#endOfGap(after);
      if (end === undefined) return;
      if (offset <= end.offset) {
        messages.push(message);
        bytes += message.data.length;
      }
      if (!this.#recent.hasRoomFor(messages.length, bytes)) {
        this.#tooFar = after;
        return;
      }
      if (offset >= end.offset) return this.#recent.prepend(after, messages);
    }
  }
}
