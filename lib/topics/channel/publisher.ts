import { randomBytes } from 'node:crypto';
import { WebSocketError } from '../../errors';
import type { HistoryLimits } from '../broker';
import { type Position, parseCursor } from '../cursor';
import { isUnavailable, type Link, topicsClosed } from './link';

interface Entry {
  readonly data: string | Buffer;
  readonly size: number;
  readonly key: string | undefined;
  /** When to give up, in milliseconds since 1970. */
  readonly until: number;
  resolve(id: string): void;
  reject(error: Error): void;
}

/** The most messages of one topic that this process has under way. */
const mostUnderWay = 256;

/** Distinguishes the keys of this process from those of all others. */
const processKey = randomBytes(9).toString('base64url');
let keys = 0;

/**
 * Publishes the messages of one topic in order, a limited number at a time. While this process has members, a message is under way until
 * they have been given it: otherwise a program that publishes in a loop could delete messages from the history before its own process
 * has read them.
 */
export class Publisher {
  /** Messages that the broker has. */
  count = 0;
  readonly #link: Link;
  readonly #topic: string;
  readonly #timeout: number;
  readonly #notify: (position: Position) => void;
  readonly #mostMessages: number;
  readonly #mostBytes: number;
  #queue: Entry[] = [];
  /** The messages that are published again when nothing else is under way, so that they keep their order. */
  #again: Entry[] = [];
  #failures = 0;
  #messages = 0;
  #bytes = 0;
  /** Messages whose answer has not been received. */
  #unanswered = 0;
  #held = false;
  /** Whether `deliveredUpTo()` is called for what is published. */
  #isRead = false;
  #delivered = 0;
  /** Messages that the broker has, and that the members of this process have not been given yet. */
  #undelivered: { readonly offset: number; readonly size: number }[] = [];

  /** @param published called when the broker has a message, with its position */
  constructor(
    link: Link,
    topic: string,
    { messages, bytes }: Required<HistoryLimits>,
    timeout: number,
    published: (position: Position) => void,
  ) {
    this.#link = link;
    this.#topic = topic;
    this.#timeout = timeout;
    this.#notify = published;
    this.#mostMessages = Math.min(mostUnderWay, Math.max(1, Math.floor(messages / 4)));
    this.#mostBytes = bytes / 4;
  }

  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#again.length === 0 && this.#unanswered === 0;
  }

  /**
   * Publishes a message, and resolves with its cursor when the broker has it.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE, WS_ERR_BROKER_REFUSED, WS_ERR_MESSAGE_TOO_BIG, WS_ERR_NOT_OPEN
   */
  publish(data: string | Buffer): Promise<string> {
    if (this.#link.signal.aborted) return Promise.reject(topicsClosed());
    const size = Buffer.byteLength(data);
    const limit = this.#link.broker.maxMessageSize;
    if (limit !== undefined && size > limit)
      return Promise.reject(new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `${size} bytes; the broker takes ${limit}`));
    return new Promise((resolve, reject) => {
      // Other brokers need no key.
      const key = this.#link.broker.guarantees.deduplicates ? `${processKey}.${++keys}` : undefined;
      this.#queue.push({ data, size, key, until: Date.now() + this.#timeout, resolve, reject });
      this.#publishNext();
    });
  }

  /** Publishes nothing until it is let go: the members of this process are about to read, from now on. */
  hold(): void {
    this.#held = true;
  }

  letGo(): void {
    this.#held = false;
    this.#publishNext();
  }

  /** Called when the members of this process begin to read, or read again, after an offset. */
  readingFrom(offset: number): void {
    this.notRead();
    this.#isRead = true;
    this.#delivered = offset;
  }

  /** Called when nobody reads, or when reading is interrupted: what is published waits for no member. */
  notRead(): void {
    this.#isRead = false;
    this.deliveredUpTo(Number.POSITIVE_INFINITY);
  }

  /** Called when the members of this process have been given all messages up to an offset. */
  deliveredUpTo(offset: number): void {
    this.#delivered = offset;
    let count = 0;
    for (const { offset: other, size } of this.#undelivered) {
      if (other > offset) break;
      count++;
      this.#finished(size);
    }
    if (count === 0) return;
    this.#undelivered.splice(0, count);
    this.#publishNext();
  }

  close(): void {
    const waiting = [...this.#again, ...this.#queue];
    this.#again = this.#queue = [];
    for (const { reject } of waiting) reject(topicsClosed());
  }

  #publishNext(): void {
    while (!this.#held && this.#again.length === 0) {
      const entry = this.#queue[0];
      if (entry === undefined) return;
      const fits = this.#messages < this.#mostMessages && this.#bytes + entry.size <= this.#mostBytes;
      if (!fits && this.#messages > 0) return;
      this.#queue.shift();
      this.#messages++;
      this.#bytes += entry.size;
      void this.#publish(entry);
    }
  }

  async #publish(entry: Entry): Promise<void> {
    this.#unanswered++;
    try {
      const id = await this.#link.publish(this.#topic, entry.data, entry.key);
      this.#unanswered--;
      this.#failures = 0;
      this.count++;
      this.#link.worked(this);
      const position = parseCursor(id) as Position;
      this.#notify(position);
      this.#published(position.offset, entry.size);
      entry.resolve(id);
    } catch (error) {
      this.#unanswered--;
      this.#finished(entry.size);
      this.#failed(entry, error as Error);
    }
    if (this.#again.length > 0 && this.#unanswered === 0) void this.#publishAgain();
    else this.#publishNext();
  }

  #published(offset: number, size: number): void {
    if (this.#isRead && offset > this.#delivered) this.#undelivered.push({ offset, size });
    else this.#finished(size);
  }

  #finished(size: number): void {
    this.#messages--;
    this.#bytes -= size;
  }

  #failed(entry: Entry, error: Error): void {
    const { signal, broker } = this.#link;
    if (signal.aborted) return entry.reject(topicsClosed());
    if (isUnavailable(error)) {
      this.#link.failed(this, error);
      if (broker.guarantees.deduplicates === true && Date.now() < entry.until) {
        this.#again.push(entry);
        return;
      }
    }
    entry.reject(error);
  }

  async #publishAgain(): Promise<void> {
    await this.#link.pause(++this.#failures, this.#link.signal);
    const entries = this.#again;
    this.#again = [];
    this.#queue.unshift(...entries);
    this.#publishNext();
  }
}
