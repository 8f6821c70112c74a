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

/** The part of `maxBytes` that the messages may take after the oldest ones were deleted, so that this is not done for each message. */
const relief = 0.75;

/** The options of `memoryBroker()`. */
export interface MemoryBrokerOptions {
  /**
   * The most bytes of memory for the messages of all topics. Beyond it, the oldest messages are deleted, whatever their topic: clients may
   * choose the names of topics, and `history` limits only each of them. Default 256 MiB.
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
  readonly #logs = new ForgettingMap<MemoryLog>(mostIdleTopics);
  readonly #brokers = new Set<MemoryBroker>();
  readonly #maxBytes: number;
  /** Bytes of all messages. */
  #bytes = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  open(broker: MemoryBroker): void {
    this.#brokers.add(broker);
  }

  close(broker: MemoryBroker): void {
    this.#brokers.delete(broker);
    if (this.#brokers.size > 0) return;
    this.#logs.clear();
    this.#bytes = 0;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  log(topic: string, history: Required<HistoryLimits>): MemoryLog {
    return this.#logs.get(topic, () => {
      this.#sweepEvery(Math.max(leastSweep, history.maxAge / 2));
      return new MemoryLog(topic, history, (bytes) => {
        this.#bytes += bytes;
      });
    });
  }

  /** Deletes the oldest messages of all topics if they take too much memory. */
  makeRoom(): void {
    if (this.#bytes <= this.#maxBytes) return;
    const now = Date.now();
    let oldest = now;
    for (const log of this.#logs.values()) oldest = Math.min(oldest, log.oldest);
    let age = now - oldest;
    do {
      age = Math.floor(age / 2);
      for (const log of this.#logs.values()) log.removeUntil(now - age);
    } while (this.#bytes > this.#maxBytes * relief && age > 0);
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
