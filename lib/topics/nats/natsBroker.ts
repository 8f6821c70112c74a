import { clearInterval, setInterval } from 'node:timers';
import type { NatsConnection } from '@nats-io/transport-node';
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
import { Calls } from '../calls';
import { toCursor } from '../cursor';
import { Gate } from '../drivers/gate';
import { Readers } from '../drivers/readers';
import { BegunTopics } from './begunTopics';
import { binaryHeaders, headerRoom } from './natsEntries';
import { isWithoutStream, toBrokerError } from './natsErrors';
import { NatsLink } from './natsLink';
import { NatsLog } from './natsLog';
import { checkNatsOptions, type NatsBrokerOptions, type StreamSettings, toStreamSettings } from './natsOptions';
import { isAged, NatsPages } from './natsPages';
import { NatsStream, type StreamAccess } from './natsStream';

export type { NatsBrokerOptions } from './natsOptions';

/** How many readers ask the server at a time. The others wait, without a deadline. */
const mostRequests = 32;

/**
 * The driver that keeps topics in NATS JetStream, all in one stream, which it makes if there is none. It needs a server of version 2.9 or
 * later, and the packages `@nats-io/transport-node` and `@nats-io/jetstream`.
 * @param connection an open connection, or the promise of `connect()`. It stays open when the broker is closed. Connect with
 * `{ waitOnFirstConnect: true, maxReconnectAttempts: -1, pingInterval: 10_000 }`, so that the client comes back by itself.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 * @example
 * const connection = connect({ servers: 'nats.example', waitOnFirstConnect: true, maxReconnectAttempts: -1, pingInterval: 10_000 });
 * const topics = new Topics({ broker: natsBroker(connection) });
 */
export function natsBroker(
  connection: NatsConnection | Promise<NatsConnection>,
  options: NatsBrokerOptions = {},
): BrokerDriver {
  const checked = checkNatsOptions(options);
  checkConnection(connection);
  return (settings: BrokerSettings) => new NatsBroker(connection, toStreamSettings(checked, settings));
}

function checkConnection(connection: unknown): void {
  const { then, request, status } = (connection ?? {}) as Record<string, unknown>;
  if (typeof then === 'function' || (typeof request === 'function' && typeof status === 'function')) return;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    'connection must be what connect() of @nats-io/transport-node returns, or its promise',
  );
}

class NatsBroker implements Broker {
  readonly guarantees: BrokerGuarantees;
  readonly #settings: StreamSettings;
  readonly #calls: Calls;
  readonly #gate = new Gate(mostRequests);
  readonly #readers = new Readers();
  readonly #link: NatsLink;
  readonly #stream: NatsStream;
  readonly #pages: NatsPages;
  readonly #begun: BegunTopics;
  readonly #heartbeat: NodeJS.Timeout;
  #highest = 0;

  constructor(connection: NatsConnection | Promise<NatsConnection>, settings: StreamSettings) {
    this.guarantees = {
      ordered: true,
      durable: settings.storage === 'file',
      history: settings.messages > 0,
      deduplicates: true,
      // The server counts bytes of the whole stream only.
      limitsBytes: false,
    };
    this.#settings = settings;
    this.#calls = new Calls(settings.timeout, (error) => this.#failed(error));
    this.#link = new NatsLink(connection, (error) => this.#interrupt(error));
    this.#stream = new NatsStream(settings, () => this.#link.connected());
    this.#pages = new NatsPages(this.#stream, this.#calls, this.#gate, settings);
    this.#begun = new BegunTopics(settings.retention);
    this.#heartbeat = setInterval(() => this.#beat(), settings.heartbeat).unref();
  }

  get maxMessageSize(): number | undefined {
    const { maxPayload } = this.#link;
    const limits = [
      maxPayload && maxPayload - headerRoom,
      this.#stream.maxMessageSize && this.#stream.maxMessageSize - headerRoom,
    ];
    const known = limits.filter((limit) => limit !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  publish(topic: string, data: string | Buffer, { signal, key }: PublishOptions = {}): Promise<string> {
    return this.#run(() => this.#publish(topic, data, key), signal);
  }

  read(topic: string, after: string, signal: AbortSignal): AsyncIterable<TopicMessage> {
    const context = { stream: this.#stream, pages: this.#pages, calls: this.#calls, gate: this.#gate };
    return this.#readers.read(topic, after, signal, (position) => new NatsLog(context, topic, position, signal));
  }

  bounds(topic: string): Promise<TopicBounds> {
    return this.#gate.run(() => this.#run(() => this.#bounds(topic)));
  }

  async close(): Promise<void> {
    if (this.#calls.closed) return;
    clearInterval(this.#heartbeat);
    this.#readers.close();
    this.#calls.close();
    this.#pages.close();
    this.#link.close();
  }

  async #run<T>(call: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    return this.#calls.run(call, signal);
  }

  async #publish(topic: string, data: string | Buffer, key: string | undefined): Promise<string> {
    const access = await this.#stream.access();
    await this.#begun.ensure(topic, () => this.#begin(access, topic));
    this.#checkSize(data);
    const { seq, duplicate } = await access.js.publish(this.#stream.subject(topic), data, {
      ...(typeof data !== 'string' && { headers: binaryHeaders() }),
      ...(key !== undefined && { msgID: key }),
    });
    const epoch = duplicate ? access.epoch : await this.#epochOf(access, seq);
    return toCursor({ epoch, offset: seq });
  }

  #checkSize(data: string | Buffer): void {
    const limit = this.maxMessageSize;
    const size = Buffer.byteLength(data);
    if (limit === undefined || size <= limit) return;
    throw new WebSocketError(
      'WS_ERR_MESSAGE_TOO_BIG',
      `${size} bytes; NATS takes ${limit} (max_payload, max_msg_size)`,
    );
  }

  /** The numbers of a stream grow. If one does not, the stream is another one, which the next heartbeat would find. */
  async #epochOf({ epoch }: StreamAccess, sequence: number): Promise<string> {
    const grows = sequence > this.#highest;
    this.#highest = sequence;
    if (grows) return epoch;
    this.#forget();
    return (await this.#stream.access()).epoch;
  }

  async #begin(access: StreamAccess, topic: string): Promise<void> {
    if ((await this.#stream.last(access, topic)) === undefined) await this.#stream.begin(access, topic);
  }

  async #bounds(topic: string): Promise<TopicBounds> {
    const access = await this.#stream.access();
    const { epoch } = access;
    const { first, last, lastTime } = await this.#stream.kept(access, topic);
    this.#begun.add(topic);
    return { epoch, first: isAged(lastTime, this.#settings.maxAge) ? last + 1 : first + 1, last };
  }

  #beat(): void {
    if (this.#readers.size === 0) return;
    this.#readers.review();
    this.#run(async () => this.#stream.verify(await this.#stream.access())).catch((error: WebSocketError) => {
      this.#interrupt(error);
    });
  }

  #forget(): void {
    this.#stream.forget();
    this.#begun.clear();
  }

  #interrupt(error: WebSocketError): void {
    this.#forget();
    this.#calls.interrupt(error);
    this.#readers.interrupt(error);
  }

  #failed(error: unknown): WebSocketError {
    const failure = toBrokerError(error);
    if (isWithoutStream(error)) {
      this.#forget();
      this.#readers.interrupt(failure);
    }
    return failure;
  }
}
