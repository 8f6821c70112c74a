import { clearInterval, setInterval } from 'node:timers';
import { describeValue } from '../../codec/describeValue';
import { WebSocketError } from '../../errors';
import type {
  Broker,
  BrokerDriver,
  BrokerGuarantees,
  BrokerSettings,
  PublishOptions,
  TopicBounds,
  TopicMessage,
} from '../broker';
import { Calls, unlessAborted } from '../calls';
import { Coalesced } from '../coalesced';
import { checkDriverOptions, type DriverRule, nameRule, retentionRule, timeoutRule } from '../drivers/driverOptions';
import { escapeTopic } from '../drivers/escapeTopic';
import { Readers } from '../drivers/readers';
import { RedisChannels } from './redisChannels';
import { isRedisClient, type RedisClient } from './redisClients';
import { toBrokerError } from './redisErrors';
import { RedisLink } from './redisLink';
import { RedisLog, type RedisPage, toLogMessage } from './redisLog';
import { RedisScripts } from './redisScripts';
import { publishScript, readScript } from './scripts';

export type { RedisClient } from './redisClients';

/** The options of `redisBroker()`. */
export interface RedisBrokerOptions {
  /** The beginning of all keys and channels. Default `'topics'`. */
  readonly prefix?: string;
  /**
   * How long the position of a quiet topic is remembered, in milliseconds; it takes a few hundred bytes. It is at least `history.maxAge`.
   * After that, old cursors of the topic are reported as `'epoch'`. Default: a day, or `history.maxAge` if that is more.
   */
  readonly retention?: number;
  /** The milliseconds after which a command fails with WS_ERR_BROKER_UNAVAILABLE. Default 5000. */
  readonly timeout?: number;
  /** The milliseconds between two checks that Redis answers. Default 5000. */
  readonly heartbeat?: number;
}

const rules: Readonly<Record<keyof RedisBrokerOptions, DriverRule>> = {
  prefix: nameRule,
  retention: retentionRule,
  timeout: timeoutRule,
  heartbeat: timeoutRule,
};

const day = 24 * 60 * 60 * 1000;
const defaults = { prefix: 'topics', retention: day, timeout: 5000, heartbeat: 5000 } as const;

/** The largest string that JavaScript can make of a text message, in bytes of ASCII. */
const largestString = 2 ** 29 - 24;

/**
 * The driver that keeps topics in streams of Redis 7 or Valkey, one for each topic. It makes two connections of its own with the settings of the
 * client, whatever the number of topics. Redis Cluster is not supported.
 * @param client a client of `redis` (node-redis) or of `ioredis`. It need not be connected, and is not closed.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 * @example
 * const topics = new Topics({ broker: redisBroker(createClient({ url: 'redis://redis.example' })) });
 */
export function redisBroker(client: RedisClient, options: RedisBrokerOptions = {}): BrokerDriver {
  const checked = checkDriverOptions(options, rules, defaults);
  if (!isRedisClient(client))
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `client must be what createClient() of redis or new Redis() of ioredis returns, not ${describeValue(client)}`,
    );
  return (settings: BrokerSettings) => new RedisBroker(client, checked, settings);
}

class RedisBroker implements Broker {
  readonly guarantees: BrokerGuarantees;
  readonly #prefix: string;
  /** The arguments that both scripts begin with. */
  readonly #limits: readonly string[];
  readonly #calls: Calls;
  readonly #readers = new Readers();
  readonly #pages = new Coalesced<RedisPage>();
  readonly #channels = new RedisChannels();
  readonly #link: RedisLink;
  readonly #scripts: RedisScripts;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(
    client: RedisClient,
    { prefix, retention, timeout, heartbeat }: Required<RedisBrokerOptions>,
    { history: { messages, bytes, maxAge } }: BrokerSettings,
  ) {
    this.guarantees = { ordered: true, durable: true, history: messages > 0, deduplicates: true };
    this.#prefix = prefix;
    this.#limits = [messages, bytes, maxAge, Math.max(retention, maxAge)].map((limit) =>
      Number.isFinite(limit) ? `${limit}` : '-1',
    );
    this.#calls = new Calls(timeout, toBrokerError);
    this.#link = new RedisLink(client, timeout, {
      message: (channel, message) => this.#channels.deliver(channel, message),
      lost: (error) => this.#lost(toBrokerError(error)),
    });
    this.#scripts = new RedisScripts(this.#link, `${prefix}:run`, `${prefix}:floor`);
    this.#heartbeat = setInterval(() => this.#beat(), heartbeat).unref();
  }

  get maxMessageSize(): number | undefined {
    const { maxBulkLength } = this.#scripts;
    return maxBulkLength === undefined ? undefined : Math.min(maxBulkLength, largestString);
  }

  publish(topic: string, data: string | Buffer, { signal, key }: PublishOptions = {}): Promise<string> {
    return this.#run(() => this.#publish(topic, data, key), signal);
  }

  read(topic: string, after: string, signal: AbortSignal): AsyncIterable<TopicMessage> {
    const context = {
      page: (of: string, offset: number, count: number, until: AbortSignal) =>
        // Readers that are at the same place at the same time share a page.
        unlessAborted(
          () => this.#pages.run(`${offset}:${of}`, () => this.#run(() => this.#page(of, offset, count))),
          until,
        ),
      listen: (to: string, listener: (message: Buffer) => void, until: AbortSignal) =>
        this.#run(() => this.#listen(to, listener), until),
    };
    return this.#readers.read(topic, after, signal, (position) => new RedisLog(context, topic, position, signal));
  }

  bounds(topic: string): Promise<TopicBounds> {
    return this.#run(async () => {
      const { epoch, first, last } = await this.#page(topic, 0, 0);
      return { epoch, first, last };
    });
  }

  async close(): Promise<void> {
    if (this.#calls.closed) return;
    clearInterval(this.#heartbeat);
    this.#readers.close();
    this.#calls.close();
    this.#link.close();
  }

  async #run<T>(call: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    return this.#calls.run(call, signal);
  }

  async #publish(topic: string, data: string | Buffer, key: string | undefined): Promise<string> {
    const keys = this.#keys(topic);
    if (key !== undefined) keys.push(`${this.#prefix}:key:${escapeTopic(key)}`);
    const kind = typeof data === 'string' ? 'd' : 'b';
    const reply = await this.#scripts.run(
      publishScript,
      keys,
      [...this.#limits, kind, data, this.#channel(topic)],
      () => this.#checkSize(data),
    );
    return `${reply}`;
  }

  #checkSize(data: string | Buffer): void {
    const limit = this.maxMessageSize;
    const size = Buffer.byteLength(data);
    if (limit === undefined || size <= limit) return;
    throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `${size} bytes; Redis takes ${limit} (proto-max-bulk-len)`);
  }

  async #page(topic: string, after: number, count: number): Promise<RedisPage> {
    const reply = await this.#scripts.run(readScript, this.#keys(topic), [...this.#limits, `${after}`, `${count}`]);
    const [epoch, first, last, entries] = reply as [Buffer, Buffer, Buffer, [Buffer, Buffer[]][]];
    return { epoch: `${epoch}`, first: Number(first), last: Number(last), messages: entries.map(toLogMessage) };
  }

  async #listen(topic: string, listener: (message: Buffer) => void): Promise<() => void> {
    const { messages } = await this.#link.connections();
    return this.#channels.listen(messages, this.#channel(topic), listener);
  }

  #keys(topic: string): string[] {
    const name = escapeTopic(topic);
    return [`${this.#prefix}:log:${name}`, `${this.#prefix}:state:${name}`, `${this.#prefix}:floor`];
  }

  #channel(topic: string): string {
    return `${this.#prefix}:live:${escapeTopic(topic)}`;
  }

  #beat(): void {
    if (!this.#link.isOpen) return;
    this.#readers.review();
    this.#run(async () => {
      const { commands, messages } = await this.#link.connections();
      await Promise.all([commands.send('PING'), messages.send('PING')]);
    }).catch((error: unknown) => this.#link.drop(error));
  }

  #lost(error: WebSocketError): void {
    this.#channels.clear();
    this.#calls.interrupt(error);
    this.#readers.interrupt(error);
  }
}
