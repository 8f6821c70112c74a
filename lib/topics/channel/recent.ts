import type { HistoryLimits, TopicMessage } from '../broker';
import { type Position, parseCursor } from '../cursor';

/** The most messages of one topic, and the most bytes of all topics together. */
const mostMessages = 1000;
const mostBytes = 8 * 1024 * 1024;

/** The most bytes that are read again for one topic. */
const mostRecalled = mostBytes / 8;

/** What a message takes beside its data, in bytes: its entry, its cursor, and its places in two arrays. */
const overhead = 250;

/** How many entries without a message the budget has before it looks for them. */
const mostForgotten = 1024;

interface Entry {
  readonly topic: RecentMessages;
  /** Undefined when its topic has forgotten it. */
  message: TopicMessage | undefined;
  readonly offset: number;
  /** The bytes of its data. */
  readonly size: number;
  /** What it takes of the budget. */
  cost: number;
  /** When it was read, in milliseconds of a clock that does not jump. */
  readonly at: number;
}

/** Entries in the order in which they were added. */
class Entries {
  #all: Entry[] = [];
  /** Where the oldest is. What is before it was removed, and is cut off from time to time. */
  #start = 0;

  get length(): number {
    return this.#all.length - this.#start;
  }

  at(index: number): Entry | undefined {
    return this.#all[this.#start + index];
  }

  push(entry: Entry): void {
    this.#all.push(entry);
  }

  prepend(entries: readonly Entry[]): void {
    this.#all = [...entries, ...this.#all.slice(this.#start)];
    this.#start = 0;
  }

  /** Removes those without a message. */
  compact(): void {
    this.#all = this.#all.slice(this.#start).filter(({ message }) => message !== undefined);
    this.#start = 0;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (let i = this.#start; i < this.#all.length; i++) yield this.#all[i] as Entry;
  }

  /** There must be one. */
  shift(): Entry {
    const entry = this.#all[this.#start] as Entry;
    if (++this.#start > this.#all.length / 2) {
      this.#all = this.#all.slice(this.#start);
      this.#start = 0;
    }
    return entry;
  }
}

/** Bounds the memory of the recent messages of all topics: the oldest are forgotten, of whatever topic they are. */
export class RecentBudget {
  readonly #all = new Entries();
  #kept = 0;
  #bytes = 0;

  add(entry: Entry): void {
    // The topic may have forgotten it already, to make room for others.
    if (entry.message === undefined) return;
    entry.cost = entry.size + overhead;
    this.#all.push(entry);
    this.#kept++;
    this.#bytes += entry.cost;
    while (this.#bytes > mostBytes) {
      const { topic, message, offset } = this.#all.shift();
      if (message !== undefined) topic.forgetUntil(offset);
    }
  }

  /** Called when its topic has forgotten it. */
  forget(entry: Entry): void {
    entry.message = undefined;
    if (entry.cost === 0) return;
    this.#kept--;
    this.#bytes -= entry.cost;
    if (this.#all.length > 2 * this.#kept + mostForgotten) this.#all.compact();
  }
}

/**
 * The last messages that the live members of a topic were given, without a gap. When many connections are lost at once, their clients come
 * back behind one of these: then the broker need not be asked by each.
 */
export class RecentMessages {
  readonly #budget: RecentBudget;
  readonly #limits: Required<HistoryLimits>;
  readonly #now: () => number;
  #entries = new Entries();
  #bytes = 0;
  #start: Position | undefined;

  constructor(budget: RecentBudget, limits: Required<HistoryLimits>, now = () => performance.now()) {
    this.#budget = budget;
    this.#limits = limits;
    this.#now = now;
  }

  /** The position before the first of them; undefined if there is none. */
  get start(): Position | undefined {
    return this.#entries.length > 0 ? this.#start : undefined;
  }

  /** Adds the message that follows the position `before`, which is that of the message added last. */
  add(before: Position, offset: number, message: TopicMessage): void {
    if (this.#entries.length === 0) this.#start = before;
    const entry = this.#entry(message, offset);
    this.#entries.push(entry);
    this.#bytes += entry.size;
    this.#budget.add(entry);
    while (!this.hasRoomFor(0, 0)) this.#shift();
  }

  /** Whether so many messages can be prepended: members must not get what the history of the topic would not give them. */
  hasRoomFor(messages: number, bytes: number): boolean {
    return (
      this.#entries.length + messages <= Math.min(mostMessages, this.#limits.messages) &&
      this.#bytes + bytes <= this.#limits.bytes &&
      bytes <= mostRecalled
    );
  }

  /** Adds messages before the others: all between a position and `start`, if there is one, for which there must be room. */
  prepend(after: Position, messages: readonly TopicMessage[]): void {
    const entries = messages.map((message) => this.#entry(message, (parseCursor(message.id) as Position).offset));
    this.#entries.prepend(entries);
    this.#start = after;
    for (const { size } of entries) this.#bytes += size;
    for (const entry of entries) this.#budget.add(entry);
  }

  /** Whether it has all messages after this position, of which there is at least one. */
  continues(after: Position): boolean {
    return this.next(after) !== undefined;
  }

  /** Returns the message after this position; undefined if there is none, or if it cannot be told which it is. */
  next({ epoch, offset }: Position): TopicMessage | undefined {
    this.#forgetAged();
    if (epoch !== this.#start?.epoch) return undefined;
    if (offset === this.#start.offset) return this.#entries.at(0)?.message;
    const index = this.#indexOf(offset);
    return index === undefined ? undefined : this.#entries.at(index + 1)?.message;
  }

  /** Forgets the messages up to this offset. */
  forgetUntil(offset: number): void {
    while ((this.#entries.at(0)?.offset ?? Number.POSITIVE_INFINITY) <= offset) this.#shift();
  }

  /** Forgets all, because the next message does not follow the last one. */
  clear(): void {
    for (const entry of this.#entries) this.#budget.forget(entry);
    this.#entries = new Entries();
    this.#bytes = 0;
    this.#start = undefined;
  }

  #entry(message: TopicMessage, offset: number): Entry {
    return { topic: this, message, offset, size: message.data.length, cost: 0, at: this.#now() };
  }

  #forgetAged(): void {
    const oldest = this.#now() - this.#limits.maxAge;
    while ((this.#entries.at(0)?.at ?? Number.POSITIVE_INFINITY) <= oldest) this.#shift();
  }

  #shift(): void {
    const entry = this.#entries.shift();
    this.#budget.forget(entry);
    this.#bytes -= entry.size;
    this.#start = { epoch: (this.#start as Position).epoch, offset: entry.offset };
  }

  /** Finds an offset in the ascending ones of the entries. */
  #indexOf(offset: number): number | undefined {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries.at(middle) as Entry).offset < offset) low = middle + 1;
      else high = middle;
    }
    return this.#entries.at(low)?.offset === offset ? low : undefined;
  }
}
