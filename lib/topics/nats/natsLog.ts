import { AckPolicy, type Consumer, type ConsumerMessages, DeliverPolicy } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import type { Calls } from '../calls';
import { type Position, toCursor, topicLost } from '../cursor';
import { BatchSize } from '../drivers/batch';
import type { History, TopicLog } from '../drivers/follower';
import type { Gate } from '../drivers/gate';
import type { LogMessage } from '../drivers/liveMessages';
import { toLogMessage } from './natsEntries';
import type { NatsStream, StreamAccess } from './natsStream';

/** The server forgets a consumer that was not asked for this long, in nanoseconds. */
const inactiveThreshold = 30e9;

/** What a reader needs of the broker. */
export interface NatsReaderContext {
  readonly stream: NatsStream;
  readonly calls: Calls;
  readonly gate: Gate;
  readonly maxAge: number;
  readonly timeout: number;
}

/** The log of one topic, for one reader. */
export class NatsLog implements TopicLog {
  readonly #context: NatsReaderContext;
  readonly #topic: string;
  readonly #epoch: string;
  readonly #signal: AbortSignal;

  constructor(context: NatsReaderContext, topic: string, { epoch }: Position, signal: AbortSignal) {
    this.#context = context;
    this.#topic = topic;
    this.#epoch = epoch;
    this.#signal = signal;
  }

  openHistory(): History {
    return new NatsHistory(this.#context, this.#topic, this.#epoch, this.#signal);
  }

  listen(listener: (message: LogMessage) => void): Promise<() => void> {
    const { stream, calls, gate } = this.#context;
    const subscribe = async () => {
      const { connection } = await stream.access();
      const subscription = connection.subscribe(stream.liveSubject(this.#topic), {
        callback: (error, message) => {
          if (error === null) listener(toLiveMessage(message));
        },
      });
      // The server has it when it answers.
      await connection.flush();
      return () => subscription.unsubscribe();
    };
    return gate.run(() => calls.run(subscribe, this.#signal));
  }
}

/** The server adds to what it publishes which entry it is, and which entry of this subject was before it. */
function toLiveMessage(message: Msg): LogMessage {
  const numberOf = (name: string) => Number(message.headers?.get(name));
  return toLogMessage(numberOf('Nats-Sequence'), numberOf('Nats-Last-Sequence'), message);
}

class NatsHistory implements History {
  readonly #context: NatsReaderContext;
  readonly #topic: string;
  readonly #epoch: string;
  readonly #signal: AbortSignal;
  #fetching: ConsumerMessages | undefined;
  /** Whether there were more messages than the last call has returned. */
  #knowsMore = false;
  readonly #batch = new BatchSize();

  constructor(context: NatsReaderContext, topic: string, epoch: string, signal: AbortSignal) {
    this.#context = context;
    this.#topic = topic;
    this.#epoch = epoch;
    this.#signal = signal;
  }

  next(after: number): Promise<readonly LogMessage[]> {
    const { gate, calls } = this.#context;
    return gate.run(() => calls.run(() => this.#next(after), this.#signal));
  }

  close(): void {
    this.#fetching?.stop();
  }

  async #next(after: number): Promise<readonly LogMessage[]> {
    const { stream } = this.#context;
    const access = await stream.access();
    if (access.epoch !== this.#epoch) throw this.#lost(after, 'epoch');
    if (!this.#knowsMore && !(await this.#hasMore(access, after))) return [];
    const messages = await this.#fetch(access, after);
    // Asked afterwards, so that it is true of what was fetched.
    if (!(await stream.keepsAllAfter(access, this.#topic, after))) throw this.#lost(after, 'evicted');
    return messages;
  }

  async #hasMore(access: StreamAccess, after: number): Promise<boolean> {
    const last = await this.#context.stream.last(access, this.#topic);
    if (last === undefined) throw this.#lost(after, 'evicted');
    if (after > last.seq) throw this.#lost(after, 'epoch');
    if (after === last.seq) return false;
    if (isAged(last.time.getTime(), this.#context.maxAge)) throw this.#lost(after, 'evicted');
    return true;
  }

  /**
   * Fetches with a consumer that is deleted afterwards: the server does work for each of them with every message, and thousands of members may
   * read history at the same time, as slowly as their connections are.
   */
  async #fetch({ js, manager }: StreamAccess, after: number): Promise<LogMessage[]> {
    const { stream, timeout } = this.#context;
    const info = await manager.consumers.add(stream.name, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: after + 1,
      filter_subject: stream.subject(this.#topic),
      ack_policy: AckPolicy.None,
      inactive_threshold: inactiveThreshold,
      mem_storage: true,
      num_replicas: 1,
    });
    const consumer = js.consumers.getConsumerFromInfo(info);
    const count = Math.min(this.#batch.count, info.num_pending);
    this.#knowsMore = info.num_pending > count;
    try {
      return count === 0 ? [] : await this.#take(consumer, count, after, timeout);
    } finally {
      // If this fails, the server forgets the consumer by itself.
      consumer.delete().catch(() => {});
    }
  }

  async #take(consumer: Consumer, count: number, after: number, timeout: number): Promise<LogMessage[]> {
    // The client takes no less than a second.
    const messages = await consumer.fetch({ max_messages: count, expires: Math.max(1000, timeout) });
    this.#fetching = messages;
    const fetched: LogMessage[] = [];
    let previous = after;
    for await (const message of messages) {
      fetched.push(toLogMessage(message.seq, previous, message));
      previous = message.seq;
      // If some were deleted meanwhile, the rest of what was asked for does not come.
      if (message.info.pending === 0 || fetched.length === count) break;
    }
    if (fetched.length > 0) this.#batch.learn(fetched);
    return fetched;
  }

  #lost(after: number, reason: 'evicted' | 'epoch') {
    return topicLost(this.#topic, toCursor({ epoch: this.#epoch, offset: after }), reason);
  }
}

/** Whether a message has reached the age at which the history ends, though the stream keeps it longer. */
export function isAged(time: number, maxAge: number): boolean {
  return Date.now() - time >= maxAge;
}
