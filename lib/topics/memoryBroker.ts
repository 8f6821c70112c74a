import { clearInterval, setInterval } from 'node:timers';
import { WebSocketError } from '../errors';
import { checkOptions } from '../options';
import type {
  Broker,
  BrokerDriver,
  BrokerGuarantees,
  BrokerSettings,
  HistoryLimits,
  PublishOptions,
  TopicMessage,
} from './broker';
import { ForgettingMap } from './forgettingMap';
import { type LogReader, MemoryLog } from './memoryLog';

/** Topics that have neither messages nor readers are remembered up to this number, so that old cursors are still known. */
const mostIdleTopics = 10_000;

/** The least time between two searches for messages that have reached their age. Readers never get them, however rarely it is. */
const leastSweep = 1000;

/** The part of `maxBytes` that is in use after memory was freed, so that this is not done for each message. */
const relief = 0.75;

/** The options of `memoryBroker()`. */
export interface MemoryBrokerOptions {
  /**
   * The most bytes of memory for all topics: their messages, with 200 bytes for each, and their names, with 700 bytes for each topic. `history`
   * limits only each topic, and clients may choose the names of topics, so they could make any number of them. There is no limit for the
   * number of topics beside it: a topic counts by what it takes.
   *
   * Beyond it, messages of topics that nobody reads are deleted, the oldest first, and topics that are empty then are forgotten. Only if that
   * is not enough, the oldest messages of all topics are deleted. Who continues after a cursor is told: `'evicted'` if the topic is still
   * known, else `'epoch'`. Default 256 MiB: 16 topics with a full history of 16 MiB, or a quarter of a million with one short message, in a
   * process that may have 2 GiB.
   */
  maxBytes?: number;
}

/**
 * The driver that keeps topics in the memory of this process: the default of `Topics`. When the process ends, its messages are gone, and
 * its cursors are of an epoch that is over. `Topics` with the same driver share their topics.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function memoryBroker(options: MemoryBrokerOptions = {}): BrokerDriver {
  const { maxBytes = 256 * 1024 * 1024 } = checkOptions(options, 'maxBytes');
  const memory = new Memory(maxBytes);
  return (settings) => new MemoryBroker(memory, settings);
}

/** The logs that all brokers of one driver share. */
class Memory {
  readonly #logs = new ForgettingMap<MemoryLog>(mostIdleTopics, (log) => {
    this.#bytes -= log.ownBytes;
  });
  readonly #brokers = new Set<MemoryBroker>();
  readonly #maxBytes: number;
  /** Bytes of all topics and messages. */
  #bytes = 0;
  /** The number of bytes at which memory is freed: `maxBytes`, or more if topics that are read take more without any messages. */
  #most: number;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = this.#most = maxBytes;
  }

  open(broker: MemoryBroker): void {
    this.#brokers.add(broker);
  }

  close(broker: MemoryBroker): void {
    this.#brokers.delete(broker);
    if (this.#brokers.size > 0) return;
    this.#logs.clear();
    this.#bytes = 0;
    this.#most = this.#maxBytes;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  log(topic: string, history: Required<HistoryLimits>): MemoryLog {
    return this.#logs.get(topic, () => {
      this.makeRoom();
      this.#sweepEvery(Math.max(leastSweep, history.maxAge / 2));
      const log = new MemoryLog(topic, history, (bytes) => {
        this.#bytes += bytes;
      });
      this.#bytes += log.ownBytes;
      return log;
    });
  }

  /** Frees memory if the topics take too much: first that of topics that nobody reads, then that of the oldest messages of all topics. */
  makeRoom(): void {
    if (this.#bytes <= this.#most) return;
    this.#deleteOldest((log) => !log.isRead);
    this.#deleteOldest(() => true);
    this.#most = Math.max(this.#maxBytes, this.#bytes / relief);
  }

  get #hasRoom(): boolean {
    return this.#bytes <= this.#maxBytes * relief;
  }

  /** Deletes the older half of the messages, and again of those that are left, until there is room, and forgets topics that are empty. */
  #deleteOldest(isMeant: (log: MemoryLog) => boolean): void {
    const now = Date.now();
    let oldest = now;
    for (const log of this.#logs.values()) if (isMeant(log)) oldest = Math.min(oldest, log.oldest);
    for (let age = now - oldest, isLast = false; !this.#hasRoom && !isLast; ) {
      isLast = age === 0;
      age = Math.floor(age / 2);
      for (const log of this.#logs.values()) if (isMeant(log) && !this.#hasRoom) log.removeUntil(now - age);
      if (!this.#hasRoom) this.#logs.forgetIdle();
    }
  }

  /** Frees the memory of messages that have reached their age, also in topics that nobody reads or writes. */
  #sweepEvery(milliseconds: number): void {
    if (this.#sweeper !== undefined || milliseconds === Number.POSITIVE_INFINITY) return;
    this.#sweeper = setInterval(() => {
      for (const log of this.#logs.values()) log.removeAged();
    }, milliseconds).unref();
  }
}

class MemoryBroker implements Broker {
  readonly guarantees: BrokerGuarantees = { ordered: true, durable: false, history: true };
  readonly maxMessageSize = undefined;
  readonly #memory: Memory;
  readonly #history: Required<HistoryLimits>;
  readonly #readers = new Set<LogReader>();
  #closed = false;

  constructor(memory: Memory, { history }: BrokerSettings) {
    this.#memory = memory;
    this.#history = history;
    memory.open(this);
  }

  async publish(topic: string, data: string | Buffer, { signal }: PublishOptions = {}) {
    if (signal?.aborted) throw new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal.reason });
    const id = this.#log(topic).add(typeof data === 'string' ? data : withoutLargeBuffer(data));
    this.#memory.makeRoom();
    return id;
  }

  read(topic: string, after: string, signal: AbortSignal): AsyncIterable<TopicMessage> {
    if (this.#closed) return (async function* () {})();
    return this.#log(topic).read(after, signal, this.#readers);
  }

  async bounds(topic: string) {
    return this.#log(topic).bounds;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const reader of this.#readers) reader.end();
    this.#memory.close(this);
  }

  #log(topic: string): MemoryLog {
    if (this.#closed) throw new WebSocketError('WS_ERR_NOT_OPEN', 'the broker was closed');
    return this.#memory.log(topic, this.#history);
  }
}

/** A small message may be a piece of the large Buffer that it was received in, which the log would keep in memory. */
function withoutLargeBuffer(data: Buffer): Buffer {
  return data.buffer.byteLength > 2 * data.length + 1024 ? Buffer.from(data) : data;
}
