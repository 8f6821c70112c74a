import type { MsgRequest, StoredMsg, StreamConfig } from '@nats-io/jetstream';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { refused, unavailable } from '../calls';
import { escapeTopic } from '../drivers/escapeTopic';
import { beginning, entryHeaders } from './natsEntries';
import type { StreamSettings } from './natsOptions';

/** `JetStreamApiCodes` of the server: another client has begun the log of the topic at the same time. */
const wrongLastSequence = 10071;

/** The clients of an open connection. */
export interface StreamAccess {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  /** The identity of the stream: another one when it was deleted and made again. */
  readonly epoch: string;
}

/** The first and the last message that the stream keeps of a topic. */
export interface Kept {
  readonly first: number;
  readonly last: number;
  /** When the last message was stored, in milliseconds since 1970, by the clock of the server. */
  readonly lastTime: number;
}

/**
 * The one stream that has all topics, each under a subject of its own. The sequence number of a message in the stream is its offset in the
 * topic, so offsets of a topic have gaps.
 *
 * The log of a topic begins with an entry that is no message. So a cursor is usually the number of an entry of this topic. The server deletes
 * the oldest entries first, so nothing behind a cursor was deleted if its own entry is still kept. To prove it for the whole history, the
 * stream keeps one entry more for each topic.
 */
export class NatsStream {
  readonly #settings: StreamSettings;
  readonly #connected: () => Promise<NatsConnection>;
  #access: Promise<StreamAccess> | undefined;
  /** The largest message that the stream takes; undefined if it has no limit, or is not known yet. */
  maxMessageSize: number | undefined;

  constructor(settings: StreamSettings, connected: () => Promise<NatsConnection>) {
    this.#settings = settings;
    this.#connected = connected;
  }

  get name(): string {
    return this.#settings.stream;
  }

  subject(topic: string): string {
    return `${this.#settings.stream}.log.${escapeTopic(topic)}`;
  }

  /** The subject on which the server publishes what it has stored. */
  liveSubject(topic: string): string {
    return `${this.#settings.stream}.live.${escapeTopic(topic)}`;
  }

  /** Resolves with the clients of the connection, and the identity of the stream. Makes the stream if there is none. */
  access(): Promise<StreamAccess> {
    if (this.#access === undefined) {
      const access = this.#open();
      this.#access = access;
      access.catch(() => {
        if (this.#access === access) this.#access = undefined;
      });
    }
    return this.#access;
  }

  /** What is known of the stream may not be true any more. */
  forget(): void {
    this.#access = undefined;
  }

  /**
   * Asks whether the stream is still the same.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE if it is not
   */
  async verify({ manager, epoch }: StreamAccess): Promise<void> {
    const { created } = await manager.streams.info(this.#settings.stream);
    if (toEpoch(created) !== epoch) throw unavailable(`the stream ${this.#settings.stream} was deleted and made again`);
  }

  /** What is kept of a topic, whose log begins with this if it has not. */
  async kept(access: StreamAccess, topic: string): Promise<Kept> {
    for (;;) {
      const last = await this.last(access, topic);
      if (last === undefined) {
        const sequence = await this.begin(access, topic);
        if (sequence !== undefined) return { first: sequence, last: sequence, lastTime: Date.now() };
      } else {
        const first = await this.#first(access, topic);
        if (first !== undefined) return { first: first.seq, last: last.seq, lastTime: last.time.getTime() };
      }
    }
  }

  last(access: StreamAccess, topic: string): Promise<StoredMsg | undefined> {
    return this.#find(access, { last_by_subj: this.subject(topic) });
  }

  /**
   * Whether no message of a topic after this entry was deleted. The oldest are deleted first: so it was none, if an entry of the topic is
   * still kept that is this one or one before it.
   */
  async keepsAllAfter(access: StreamAccess, topic: string, sequence: number): Promise<boolean> {
    const entry = await this.#find(access, { seq: sequence });
    if (entry?.subject === this.subject(topic)) return true;
    // The number of a message of another topic, between two of this one, is a position as well.
    const first = await this.#first(access, topic);
    return first !== undefined && first.seq <= sequence;
  }

  #first(access: StreamAccess, topic: string): Promise<StoredMsg | undefined> {
    // The server knows this request since 2.9, the type of the client only for direct requests, which a replica may answer from old data.
    return this.#find(access, { seq: 1, next_by_subj: this.subject(topic) } as MsgRequest);
  }

  async #find({ manager }: StreamAccess, request: MsgRequest): Promise<StoredMsg | undefined> {
    return (await manager.streams.getMessage(this.#settings.stream, request)) ?? undefined;
  }

  /** Begins the log of a topic, and resolves with the number of its first entry; with undefined if it has begun already. */
  async begin({ js }: StreamAccess, topic: string): Promise<number | undefined> {
    try {
      const expect = { lastSubjectSequence: 0 };
      const { seq } = await js.publish(this.subject(topic), '', { headers: entryHeaders(beginning), expect });
      return seq;
    } catch (error) {
      if ((error as { code?: number }).code !== wrongLastSequence) throw error;
      return undefined;
    }
  }

  async #open(): Promise<StreamAccess> {
    const connection = await this.#connected();
    const { stream, timeout } = this.#settings;
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout });
    const { created, config } = await manager.streams.info(stream).catch((error: { name?: string }) => {
      if (error.name !== 'StreamNotFoundError') throw error;
      // If another process makes it at the same time, with the same settings, this returns what that one has made.
      return manager.streams.add(this.#config());
    });
    this.#check(config);
    this.maxMessageSize = config.max_msg_size > 0 ? config.max_msg_size : undefined;
    return { connection, js: jetstream(connection, { timeout }), manager, epoch: toEpoch(created) };
  }

  #config(): Partial<StreamConfig> & { name: string } {
    const { stream, messages, retention, maxBytes, replicas, storage } = this.#settings;
    return {
      name: stream,
      description: 'Topics of node-websocket-handler',
      subjects: [`${stream}.log.*`],
      storage,
      num_replicas: replicas,
      max_msgs_per_subject: messages + 1,
      max_age: Number.isFinite(retention) ? retention * 1_000_000 : 0,
      max_bytes: maxBytes ?? -1,
      republish: { src: `${stream}.log.*`, dest: `${stream}.live.{{wildcard(1)}}` },
    };
  }

  /** A stream that the program has made itself is used as it is, if it has what this driver needs. */
  #check({ republish, subjects = [] }: StreamConfig): void {
    const { stream } = this.#settings;
    const needed = this.#config();
    if (!subjects.includes(`${stream}.log.*`))
      throw refused(`the stream ${stream} must have the subject ${stream}.log.*, not ${subjects.join(', ')}`);
    if (
      republish?.src !== needed.republish?.src ||
      republish?.dest !== needed.republish?.dest ||
      republish?.headers_only
    )
      throw refused(`the stream ${stream} must have republish: ${JSON.stringify(needed.republish)}`);
  }
}

/** The time at which the stream was made, to the nanosecond, without what is special in cursors. */
function toEpoch(created: unknown): string {
  return `${created}`.replaceAll(/\D/g, '');
}
