import { randomBytes } from 'node:crypto';
import { onAbort } from '../client/abortSignals';
import type { HistoryLimits, LostReason, TopicBounds, TopicMessage } from './broker';
import { findLoss, type Position, parseCursor, toCursor, topicLost } from './cursor';

interface Entry {
  readonly message: TopicMessage;
  readonly size: number;
  /** When the message was added, in milliseconds since 1970. */
  readonly at: number;
}

const smallestRing = 16;

/** What a message takes beside its data, in bytes: its entry, its cursor, and its place in the ring. */
const overhead = 200;

/** What a topic without messages takes beside its name, in bytes: the log, its smallest ring, its epoch, and its place in a Map. */
const topicOverhead = 700;

/** The messages of one topic in memory: a ring buffer that is bounded by messages, bytes and age. */
export class MemoryLog {
  readonly topic: string;
  readonly epoch = randomBytes(6).toString('hex');
  readonly #limits: Required<HistoryLimits>;
  /** The entry with the offset `n` is at `n` modulo the length. The ring grows up to the limit of messages. */
  #ring: (Entry | undefined)[] = new Array(smallestRing);
  #first = 1;
  #last = 0;
  #bytes = 0;
  readonly #readers = new Set<LogReader>();
  readonly #resized: (bytes: number) => void;

  /** @param resized called with the bytes of memory that a message takes, or, below 0, that a removed message took */
  constructor(topic: string, limits: Required<HistoryLimits>, resized: (bytes: number) => void = () => {}) {
    this.topic = topic;
    this.#limits = limits;
    this.#resized = resized;
  }

  /** Whether nothing would be lost, except the epoch, if the log were forgotten. */
  get isIdle(): boolean {
    return this.#first > this.#last && !this.isRead;
  }

  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  /** Bytes of memory that the log takes without messages. */
  get ownBytes(): number {
    return topicOverhead + 2 * this.topic.length;
  }

  get bounds(): TopicBounds {
    this.removeAged();
    return { epoch: this.epoch, first: this.#first, last: this.#last };
  }

  /** Adds a message and returns its cursor. */
  add(data: string | Buffer): string {
    const offset = ++this.#last;
    const id = toCursor({ epoch: this.epoch, offset });
    const size = Buffer.byteLength(data);
    const message = { id, data, binary: typeof data !== 'string' };
    if (this.#last - this.#first >= this.#ring.length) this.#resize(this.#ring.length * 2, offset);
    this.#ring[offset % this.#ring.length] = { message, size, at: Date.now() };
    this.#bytes += size;
    this.#resized(size + overhead);
    // Waiting readers get the message before it can be removed: a message that is larger than the limit is not kept.
    for (const reader of this.#readers) reader.added(offset, message);
    this.#removeAboveLimits();
    return id;
  }

  /** Returns the message with this offset; undefined if it was not published yet. The offset must not be below the bounds. */
  at(offset: number): TopicMessage | undefined {
    return offset > this.#last ? undefined : this.#ring[offset % this.#ring.length]?.message;
  }

  /** Removes messages that have reached the age limit. */
  removeAged(): void {
    this.removeUntil(Date.now() - this.#limits.maxAge);
  }

  /** Removes the messages that were added until this time, in milliseconds since 1970. */
  removeUntil(time: number): void {
    while (this.oldest <= time) this.#removeFirst();
  }

  /** When the oldest message was added; Infinity if there is none. */
  get oldest(): number {
    if (this.#first > this.#last) return Number.POSITIVE_INFINITY;
    return (this.#ring[this.#first % this.#ring.length] as Entry).at;
  }

  /** @param ofBroker the readers of a broker, in which this one is until it ends */
  read(after: string, signal: AbortSignal, ofBroker: Set<LogReader>): LogReader {
    return new LogReader(this, [this.#readers, ofBroker], after, signal);
  }

  #removeAboveLimits(): void {
    const { messages, bytes } = this.#limits;
    while (this.#last - this.#first >= messages || this.#bytes > bytes) this.#removeFirst();
    this.removeAged();
  }

  #removeFirst(): void {
    const place = this.#first++ % this.#ring.length;
    const { size } = this.#ring[place] as Entry;
    this.#bytes -= size;
    this.#resized(-size - overhead);
    this.#ring[place] = undefined;
    // A topic that was busy once and is quiet now needs no large ring.
    const { length } = this.#ring;
    if (length > smallestRing && this.#last - this.#first < length / 4) this.#resize(length / 2, this.#last + 1);
  }

  /** Moves the entries below an offset to a ring of another length. */
  #resize(length: number, end: number): void {
    const other: (Entry | undefined)[] = new Array(length);
    for (let n = this.#first; n < end; n++) other[n % length] = this.#ring[n % this.#ring.length];
    this.#ring = other;
  }
}

const done = { done: true, value: undefined } as const;

/** One iteration over a log. It keeps an offset and no messages, so it may pause for any time. */
export class LogReader implements AsyncIterableIterator<TopicMessage> {
  readonly #log: MemoryLog;
  /** The sets of readers that this one is in until it ends. */
  readonly #sets: readonly Set<LogReader>[];
  #forgetSignal: (() => void) | undefined;
  /** The cursor to read after, and its offset once it was checked. */
  readonly #after: string;
  #offset: number | undefined;
  #ended = false;
  /** Resolves the `next()` that waits for a message. */
  #waiting: ((result: IteratorResult<TopicMessage>) => void) | undefined;

  constructor(log: MemoryLog, sets: readonly Set<LogReader>[], after: string, signal: AbortSignal) {
    this.#log = log;
    this.#sets = sets;
    this.#after = after;
    if (signal.aborted) this.#ended = true;
    else {
      for (const set of sets) set.add(this);
      this.#forgetSignal = onAbort(signal, () => this.end());
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Called when a message was added: hands it to the `next()` that waits for it. */
  added(offset: number, message: TopicMessage): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#offset = offset;
    waiting({ done: false, value: message });
  }

  next(): Promise<IteratorResult<TopicMessage>> {
    if (this.#ended) return Promise.resolve(done);
    const bounds = this.#log.bounds;
    const lost = this.#findLoss(bounds);
    if (lost !== undefined) {
      const after = this.#offset === undefined ? this.#after : toCursor({ epoch: bounds.epoch, offset: this.#offset });
      this.end();
      return Promise.reject(topicLost(this.#log.topic, after, lost));
    }
    this.#offset ??= (parseCursor(this.#after) as Position).offset;
    const message = this.#log.at(this.#offset + 1);
    if (message === undefined)
      return new Promise((resolve) => {
        this.#waiting = resolve;
      });
    this.#offset++;
    return Promise.resolve({ done: false, value: message });
  }

  return(): Promise<IteratorResult<TopicMessage>> {
    this.end();
    return Promise.resolve(done);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const set of this.#sets) set.delete(this);
    this.#forgetSignal?.();
    this.#waiting?.(done);
    this.#waiting = undefined;
  }

  /** Returns why this iteration cannot go on without a gap. */
  #findLoss(bounds: TopicBounds): LostReason | undefined {
    if (this.#offset === undefined) return findLoss(this.#after, bounds);
    return this.#offset < bounds.first - 1 ? 'evicted' : undefined;
  }
}
