import type { Msg } from '@nats-io/transport-node';
import type { Calls } from '../calls';
import type { Position } from '../cursor';
import { BatchSize } from '../drivers/batch';
import type { History, TopicLog } from '../drivers/follower';
import type { Gate } from '../drivers/gate';
import type { LogMessage } from '../drivers/liveMessages';
import { toLogMessage } from './natsEntries';
import type { NatsPages } from './natsPages';
import type { NatsStream } from './natsStream';

/** What a reader needs of the broker. */
export interface NatsReaderContext {
  readonly stream: NatsStream;
  readonly pages: NatsPages;
  readonly calls: Calls;
  readonly gate: Gate;
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
    return new NatsHistory(this.#context.pages, this.#topic, this.#epoch, this.#signal);
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
  readonly #pages: NatsPages;
  readonly #topic: string;
  readonly #epoch: string;
  readonly #signal: AbortSignal;
  readonly #batch = new BatchSize();
  /** Whether there were more messages than the last call has returned. */
  #hasMore = false;

  constructor(pages: NatsPages, topic: string, epoch: string, signal: AbortSignal) {
    this.#pages = pages;
    this.#topic = topic;
    this.#epoch = epoch;
    this.#signal = signal;
  }

  async next(after: number): Promise<readonly LogMessage[]> {
    const place = { topic: this.#topic, epoch: this.#epoch, after };
    const { messages, hasMore } = await this.#pages.read(place, this.#batch.count, this.#hasMore, this.#signal);
    this.#hasMore = hasMore;
    if (messages.length > 0) this.#batch.learn(messages);
    return messages;
  }
}
