import { Readable } from 'node:stream';
import { onAbort } from '../client/abortSignals';
import { WebSocketError } from '../errors';
import { tolerateErrors } from '../websocket/closing';
import type { TopicMessage } from './broker';
import { boundsOf, endOf, follow, startOf } from './channel/follow';
import { type Link, topicsClosed } from './channel/link';

/** The messages of a topic after a cursor, as a Readable. It waits while the broker is away. */
export class Since extends Readable {
  readonly #link: Link;
  readonly #topic: string;
  readonly #after: string | null | undefined;
  readonly #reading = new AbortController();
  readonly #forget: (() => void)[] = [];
  #begun = false;
  #wanted: (() => void) | undefined;

  constructor(link: Link, topic: string, after: string | null | undefined, signal: AbortSignal | undefined) {
    super({ objectMode: true });
    this.#link = link;
    this.#topic = topic;
    this.#after = after;
    this.#endWith(link.signal, () => {
      // The program has closed the topics, and knows it.
      tolerateErrors(this);
      return topicsClosed();
    });
    if (signal !== undefined)
      this.#endWith(signal, () => new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal.reason }));
    // "From now on" means from this call on, not from the first read.
    if (after == null) this.#begin();
  }

  override _read(): void {
    if (!this.#begun) this.#begin();
    this.#wanted?.();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const forget of this.#forget) forget();
    this.#reading.abort();
    this.#wanted?.();
    done(error);
  }

  #endWith(signal: AbortSignal, error: () => Error): void {
    const end = () => this.destroy(error());
    if (signal.aborted) end();
    else this.#forget.push(onAbort(signal, end));
  }

  #begin(): void {
    this.#begun = true;
    this.#follow().catch((error) => this.destroy(error));
  }

  async #follow(): Promise<void> {
    const { signal } = this.#reading;
    const link = this.#link;
    const topic = this.#topic;
    let after = this.#after;
    if (after == null || after === 'start') {
      const bounds = await boundsOf(link, topic, signal);
      if (bounds === undefined) return;
      after = after === 'start' ? startOf(bounds) : endOf(bounds);
    }
    await follow(after, { link, topic, signal, take: (message) => this.#take(message) });
  }

  #take(message: TopicMessage): void | Promise<void> {
    if (this.push(message)) return undefined;
    return new Promise((resolve) => {
      this.#wanted = resolve;
    });
  }
}
