import type { TopicBounds } from '../broker';
import { findLoss, type Position, toCursor, topicLost } from '../cursor';
import { BatchSize } from '../drivers/batch';
import type { History, TopicLog } from '../drivers/follower';
import type { LogMessage } from '../drivers/liveMessages';

/** The bounds of a topic, and messages after an offset. */
export interface RedisPage extends TopicBounds {
  readonly messages: readonly LogMessage[];
}

/** What a reader asks for. */
export interface RedisReaderContext {
  page(topic: string, after: number, count: number, signal: AbortSignal): Promise<RedisPage>;
  listen(topic: string, listener: (message: Buffer) => void, signal: AbortSignal): Promise<() => void>;
}

/** The log of one topic, for one reader. Its offsets have no gaps. */
export class RedisLog implements TopicLog, History {
  readonly #context: RedisReaderContext;
  readonly #topic: string;
  readonly #epoch: string;
  readonly #signal: AbortSignal;
  readonly #batch = new BatchSize();

  constructor(context: RedisReaderContext, topic: string, { epoch }: Position, signal: AbortSignal) {
    this.#context = context;
    this.#topic = topic;
    this.#epoch = epoch;
    this.#signal = signal;
  }

  openHistory(): History {
    return this;
  }

  async next(after: number): Promise<readonly LogMessage[]> {
    const page = await this.#context.page(this.#topic, after, this.#batch.count, this.#signal);
    const cursor = toCursor({ epoch: this.#epoch, offset: after });
    const lost = findLoss(cursor, page);
    if (lost !== undefined) throw topicLost(this.#topic, cursor, lost);
    if (page.messages.length > 0) this.#batch.learn(page.messages);
    return page.messages;
  }

  listen(listener: (message: LogMessage) => void): Promise<() => void> {
    const take = (message: Buffer) => listener(this.#toLive(message));
    return this.#context.listen(this.#topic, take, this.#signal);
  }

  /** What the script publishes: `epoch:offset`, `d` or `b`, and the data. */
  #toLive(message: Buffer): LogMessage {
    const colon = message.indexOf(':');
    let end = colon + 1;
    while (isDigit(message[end])) end++;
    const offset = Number(message.toString('latin1', colon + 1, end));
    const isOfThisEpoch = message.toString('latin1', 0, colon) === this.#epoch;
    // What is of another epoch follows none of ours: the reader looks into the history, and is told.
    const previous = isOfThisEpoch ? offset - 1 : Number.NaN;
    return {
      offset: isOfThisEpoch ? offset : Number.POSITIVE_INFINITY,
      previous,
      data: toData(message[end] === text, message.subarray(end + 1)),
    };
  }
}

const text = 'd'.charCodeAt(0);

function isDigit(byte = 0): boolean {
  return byte >= 48 && byte <= 57;
}

/** An entry of the stream, as XRANGE returns it: its id, and its fields. */
export function toLogMessage([id, fields]: readonly [Buffer, readonly Buffer[]]): LogMessage {
  const offset = Number(id.toString('latin1', 2));
  const [kind = '', data = Buffer.alloc(0)] = fields.slice(4);
  return { offset, previous: offset - 1, data: toData(kind[0] === text, data) };
}

function toData(isText: boolean, data: Buffer): string | Buffer {
  // The client gives pieces of what it has received, which may be much larger.
  return isText ? data.toString() : Buffer.from(data);
}
