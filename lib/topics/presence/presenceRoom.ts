import { randomBytes } from 'node:crypto';
import { clearInterval, setInterval } from 'node:timers';
import { WebSocketError } from '../../errors';
import type { HistoryLimits, TopicMessage } from '../broker';
import { boundsOf, endOf, follow, startOf } from '../channel/follow';
import { isLost, type Link } from '../channel/link';
import { Publisher } from '../channel/publisher';
import { presenceName } from '../options';
import { type PresenceChange, type PresenceMessage, PresenceState, type PresentMember } from './presenceState';

/** The most characters of JSON in one message, and of one member. */
const longestMessage = 32 * 1024;
const longestInfo = 16 * 1024;

/** How often a process says in one timeout that it is alive. */
const beats = 3;

type Content<M = PresenceMessage> = M extends PresenceMessage ? Omit<M, 'process' | 'count' | 'at'> : never;

/** Who watches a room. */
export interface Watcher {
  changed(change: PresenceChange): void;
}

/**
 * Who is present in one topic, in all processes. The processes write into a topic of its own who has joined and left, and from time to time
 * that they are alive. A process that misses something asks, and the others write their state.
 */
export class PresenceRoom {
  /** Settles when those who are present in other processes are known. */
  readonly ready: Promise<void>;
  readonly #process = randomBytes(9).toString('base64url');
  readonly #link: Link;
  readonly #topic: string;
  readonly #publisher: Publisher;
  readonly #state: PresenceState;
  readonly #own = new Map<string, PresentMember>();
  readonly #watchers = new Set<Watcher>();
  readonly #empty: () => void;
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #users = 0;
  #made = 0;
  /** The number of differences that were told. */
  #count = 0;
  #joined: PresentMember[] = [];
  #left: PresentMember[] = [];
  #isTelling = false;
  /** Whether something could not be published, so that the others need the state. */
  #isUntold = false;
  #hasAsked = false;
  /** Whether the history has been read. */
  #isReplayed = false;
  #isReady = false;
  #setReady!: () => void;

  /** @param empty called when nobody is present here or watches any more */
  constructor(link: Link, name: string, history: Required<HistoryLimits>, timeout: number, empty: () => void) {
    this.#link = link;
    this.#topic = presenceName(name);
    this.#publisher = new Publisher(link, this.#topic, history, timeout, () => {});
    this.#state = new PresenceState(timeout, (change) => this.#changed(change));
    this.#empty = empty;
    this.ready = new Promise((resolve) => {
      this.#setReady = resolve;
    });
    this.#timer = setInterval(() => this.#beat(), timeout / beats).unref();
    void this.#read();
  }

  /** Everyone who is present. */
  get members(): PresentMember[] {
    return [...this.#own.values(), ...this.#state.members()];
  }

  /**
   * Makes somebody present, until the function that it returns is called.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  enter(info: unknown): () => void {
    const json = JSON.stringify(info) as string | undefined;
    if (json === undefined || json.length > longestInfo)
      throw new WebSocketError(
        'WS_ERR_INVALID_ARGUMENT',
        `presence must be a value of at most ${longestInfo} characters as JSON, not ${json?.length ?? typeof info}`,
      );
    this.#users++;
    const member = { id: `${this.#process}.${++this.#made}`, info: JSON.parse(json) as unknown };
    this.#own.set(member.id, member);
    this.#joined.push(member);
    this.#changed({ joined: [member], left: [] });
    this.#tellSoon();
    return () => {
      if (!this.#own.delete(member.id)) return;
      this.#left.push(member);
      this.#changed({ joined: [], left: [member] });
      this.#tellSoon();
      this.#release();
    };
  }

  /** Returns a function that ends the watch. */
  watch(watcher: Watcher): () => void {
    this.#users++;
    this.#watchers.add(watcher);
    return () => {
      if (this.#watchers.delete(watcher)) this.#release();
    };
  }

  /** Tells the others that all of this process have left. Resolves when the broker has it, or cannot be reached. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const isKnown = this.#count > 0 && this.#link.online;
    if (isKnown) await this.#publish({ kind: 'gone' });
    this.#stopping.abort();
    this.#setReady();
  }

  #release(): void {
    if (--this.#users > 0) return;
    // What is to be told is told before.
    this.#tell();
    clearInterval(this.#timer);
    this.#stopping.abort();
    this.#setReady();
    this.#empty();
  }

  async #read(): Promise<void> {
    const { signal } = this.#stopping;
    let bounds = await boundsOf(this.#link, this.#topic, signal);
    // Everything before is history: those who are present have said within the timeout that they are alive.
    let last = bounds && endOf(bounds);
    while (bounds !== undefined && !signal.aborted) {
      const after = startOf(bounds);
      if (after === last) this.#beComplete();
      try {
        await follow(after, {
          link: this.#link,
          topic: this.#topic,
          signal,
          take: (message) => {
            this.#receive(message);
            if (message.id === last) this.#beComplete();
          },
          resumed: () => this.#tellState(),
        });
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#state.forgetCounts();
        bounds = await boundsOf(this.#link, this.#topic, signal);
        last = bounds && endOf(bounds);
        this.#tellState();
        this.#ask();
      }
    }
  }

  #receive({ data }: TopicMessage): void {
    const message = JSON.parse(data.toString()) as PresenceMessage;
    if (message.process === this.#process) {
      // Whoever has asked before has got an answer.
      if (message.kind === 'ask') this.#hasAsked = false;
      return;
    }
    this.#state.receive(message);
    if (message.kind === 'ask' && this.#isReady) this.#tellState();
    if (this.#isReady) this.#askIfIncomplete();
    else if (this.#isReplayed) this.#beComplete();
  }

  #beComplete(): void {
    this.#isReplayed = true;
    this.#askIfIncomplete();
    if (this.#state.isIncomplete) return;
    this.#isReady = true;
    this.#setReady();
  }

  #askIfIncomplete(): void {
    if (this.#state.isIncomplete) this.#ask();
  }

  /** Asks the other processes for their state, once until the broker has the question. */
  #ask(): void {
    if (this.#hasAsked) return;
    this.#hasAsked = true;
    void this.#publish({ kind: 'ask' });
  }

  #beat(): void {
    this.#state.removeSilent();
    if (this.#isReplayed && !this.#isReady) this.#beComplete();
    this.#hasAsked = false;
    if (this.#state.isIncomplete) this.#ask();
    if (this.#isUntold) this.#tellState();
    else if (this.#own.size > 0) void this.#publish({ kind: 'alive' });
  }

  #changed(change: PresenceChange): void {
    for (const watcher of this.#watchers) watcher.changed(change);
  }

  /** Collects the differences of this turn. */
  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      if (!this.#stopping.signal.aborted) this.#tell();
    });
  }

  #tell(): void {
    this.#isTelling = false;
    // Who has joined and left in this turn is not told of.
    const parts = split(this.#joined.filter(({ id }) => this.#own.has(id)));
    const passed = new Set(this.#joined.filter(({ id }) => !this.#own.has(id)).map(({ id }) => id));
    const left = this.#left.map(({ id }) => id).filter((id) => !passed.has(id));
    this.#joined = [];
    this.#left = [];
    if (left.length === 0 && parts[0]?.length === 0) return;
    for (const [i, joined] of parts.entries()) {
      this.#count++;
      void this.#publish({ kind: 'change', joined, left: i === parts.length - 1 ? left : [] });
    }
  }

  #tellState(): void {
    this.#tell();
    this.#isUntold = false;
    if (this.#count === 0) return;
    const parts = split([...this.#own.values()]);
    for (const [i, entries] of parts.entries())
      void this.#publish({ kind: 'state', entries, first: i === 0, more: i < parts.length - 1 });
  }

  async #publish(content: Content): Promise<void> {
    const message = { process: this.#process, count: this.#count, at: Date.now(), ...content };
    try {
      await this.#publisher.publish(JSON.stringify(message));
    } catch (error) {
      this.#isUntold = true;
      this.#link.failed(this, error as Error);
      this.#link.left(this);
    }
  }
}

/** Divides members so that no message is too long. There is at least one part. */
function split(members: readonly PresentMember[]): (readonly [string, unknown])[][] {
  const parts: (readonly [string, unknown])[][] = [[]];
  let length = 0;
  for (const { id, info } of members) {
    const entry = [id, info] as const;
    length += JSON.stringify(entry).length;
    if (length > longestMessage) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)?.push(entry);
  }
  return parts;
}
