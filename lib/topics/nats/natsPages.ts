import { AckPolicy, type Consumer, type ConsumerMessages, DeliverPolicy } from '@nats-io/jetstream';
import { type Calls, unlessAborted } from '../calls';
import { Coalesced } from '../coalesced';
import { toCursor, topicLost } from '../cursor';
import type { Gate } from '../drivers/gate';
import type { LogMessage } from '../drivers/liveMessages';
import { toLogMessage } from './natsEntries';
import type { NatsStream, StreamAccess } from './natsStream';

/** The server forgets a consumer that was not asked for this long, in nanoseconds. */
const inactiveThreshold = 30e9;

/** Where a page begins. */
export interface NatsPlace {
  readonly topic: string;
  readonly epoch: string;
  /** The offset before the page. */
  readonly after: number;
}

/** The messages after a place. */
export interface NatsPage {
  readonly messages: readonly LogMessage[];
  /** Whether there were more. */
  readonly hasMore: boolean;
}

/** How a page is read. */
export interface NatsPageSettings {
  /** The age at which the history ends, in milliseconds. */
  readonly maxAge: number;
  /** The milliseconds that the server has to answer. */
  readonly timeout: number;
}

/** Reads the history of topics, page by page. Readers that are at the same place at the same time, as after a deployment, share a page. */
export class NatsPages {
  readonly #stream: NatsStream;
  readonly #calls: Calls;
  readonly #gate: Gate;
  readonly #settings: NatsPageSettings;
  readonly #pages = new Coalesced<NatsPage>();
  readonly #fetching = new Set<ConsumerMessages>();

  constructor(stream: NatsStream, calls: Calls, gate: Gate, settings: NatsPageSettings) {
    this.#stream = stream;
    this.#calls = calls;
    this.#gate = gate;
    this.#settings = settings;
  }

  /**
   * Resolves with the next messages, none if there are no more.
   * @param count the most messages
   * @param hasMore whether there are more for certain
   * @throws WebSocketError WS_ERR_TOPIC_LOST if messages after the place were deleted, or the log is another one
   */
  read(place: NatsPlace, count: number, hasMore: boolean, signal: AbortSignal): Promise<NatsPage> {
    const { epoch, after, topic } = place;
    const read = () => this.#gate.run(() => this.#calls.run(() => this.#read(place, count, hasMore)));
    return unlessAborted(() => this.#pages.run(`${epoch}:${after}:${topic}`, read), signal);
  }

  /** Ends what is under way. */
  close(): void {
    for (const messages of this.#fetching) messages.stop();
  }

  async #read(place: NatsPlace, count: number, hasMore: boolean): Promise<NatsPage> {
    const access = await this.#stream.access();
    if (access.epoch !== place.epoch) throw lost(place, 'epoch');
    if (!hasMore && !(await this.#hasMore(access, place))) return { messages: [], hasMore: false };
    const page = await this.#fetch(access, place, count);
    // Asked afterwards, so that it is true of what was fetched.
    if (!(await this.#stream.keepsAllAfter(access, place.topic, place.after))) throw lost(place, 'evicted');
    return page;
  }

  async #hasMore(access: StreamAccess, place: NatsPlace): Promise<boolean> {
    const last = await this.#stream.last(access, place.topic);
    if (last === undefined) throw lost(place, 'evicted');
    if (place.after > last.seq) throw lost(place, 'epoch');
    if (place.after === last.seq) return false;
    if (isAged(last.time.getTime(), this.#settings.maxAge)) throw lost(place, 'evicted');
    return true;
  }

  /**
   * Fetches with a consumer that is deleted afterwards: the server does work for each of them with every message, and thousands of members may
   * read history at the same time, as slowly as their connections are.
   */
  async #fetch({ js, manager }: StreamAccess, { topic, after }: NatsPlace, most: number): Promise<NatsPage> {
    const info = await manager.consumers.add(this.#stream.name, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: after + 1,
      filter_subject: this.#stream.subject(topic),
      ack_policy: AckPolicy.None,
      inactive_threshold: inactiveThreshold,
      mem_storage: true,
      num_replicas: 1,
    });
    const consumer = js.consumers.getConsumerFromInfo(info);
    const count = Math.min(most, info.num_pending);
    try {
      const messages = count === 0 ? [] : await this.#take(consumer, count, after);
      return { messages, hasMore: info.num_pending > count };
    } finally {
      // If this fails, the server forgets the consumer by itself.
      consumer.delete().catch(() => {});
    }
  }

  async #take(consumer: Consumer, count: number, after: number): Promise<LogMessage[]> {
    // The client takes no less than a second.
    const expires = Math.max(1000, this.#settings.timeout);
    const messages = await consumer.fetch({ max_messages: count, expires });
    this.#fetching.add(messages);
    // It may have been closed while the server made the consumer.
    if (this.#calls.closed) messages.stop();
    const taken: LogMessage[] = [];
    let previous = after;
    try {
      for await (const message of messages) {
        taken.push(toLogMessage(message.seq, previous, message));
        previous = message.seq;
        // If some were deleted meanwhile, the rest of what was asked for does not come.
        if (message.info.pending === 0 || taken.length === count) break;
      }
    } finally {
      this.#fetching.delete(messages);
    }
    return taken;
  }
}

/** Whether a message has reached the age at which the history ends, though the stream keeps it longer. */
export function isAged(time: number, maxAge: number): boolean {
  return Date.now() - time >= maxAge;
}

function lost({ topic, epoch, after }: NatsPlace, reason: 'evicted' | 'epoch') {
  return topicLost(topic, toCursor({ epoch, offset: after }), reason);
}
