import { EventEmitter } from 'node:events';
import { tolerateErrors } from '../websocket/closing';
import type { Broker, BrokerGuarantees, HistoryLimits } from './broker';
import { Channel } from './channel/channel';
import { Link, topicsClosed } from './channel/link';
import { RecentBudget, RecentMessages } from './channel/recent';
import { ForgettingMap } from './forgettingMap';
import { Joined } from './joined';
import { memoryBroker } from './memoryBroker';
import { checkJoinOptions, checkName, checkTopicsOptions, type JoinOptions, type TopicsOptions } from './options';
import { Presence } from './presence/presence';
import { PresenceRoom } from './presence/presenceRoom';
import { Topic } from './topic';

/** Topics without members are remembered up to this number, with their counters. */
const mostIdleTopics = 1000;

const defaults = {
  history: { messages: 1000, bytes: 16 * 1024 * 1024, maxAge: 300_000 },
  publishTimeout: 30_000,
  presenceTimeout: 30_000,
  initialDelay: 100,
  maxDelay: 10_000,
} as const;

/** The events of `Topics`. */
export interface TopicsEvents {
  /** The broker cannot be reached, or refuses to be read. It is tried again until it can. */
  offline: [error: Error];
  /** Everything that had failed has succeeded since. */
  online: [];
  /**
   * The broker has refused to be read, or its driver has failed: time alone will not mend it. Without a listener it is a process warning,
   * because a broker must not end the process.
   */
  error: [error: Error];
}

/**
 * Topics: logs of messages that are read and written as streams, in this process or in a broker that several processes share.
 *
 * Events: 'offline' with an error, 'online', 'error'.
 * @example
 * const topics = new Topics();
 * ws.pipe(topics.join('lobby')).pipe(ws);
 */
export class Topics extends EventEmitter<TopicsEvents> {
  readonly #broker: Broker;
  readonly #link: Link;
  /** Aborts when `close()` is called. */
  readonly #closing = new AbortController();
  /** Aborts when the other processes have been told that those of this process have left. */
  readonly #disconnecting = new AbortController();
  readonly #history: Required<HistoryLimits>;
  readonly #recent = new RecentBudget();
  readonly #publishTimeout: number;
  readonly #presenceTimeout: number;
  readonly #channels = new ForgettingMap<Channel>(mostIdleTopics);
  readonly #joined = new Set<Joined>();
  readonly #rooms = new Map<string, PresenceRoom>();
  #closed: Promise<void> | undefined;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: TopicsOptions = {}) {
    super();
    checkTopicsOptions(options);
    const { broker = memoryBroker(), history: limits = {}, initialDelay, maxDelay } = options;
    const { messages, bytes, maxAge } = limits;
    this.#history = {
      messages: messages ?? defaults.history.messages,
      bytes: bytes ?? defaults.history.bytes,
      maxAge: maxAge ?? defaults.history.maxAge,
    };
    this.#publishTimeout = options.publishTimeout ?? defaults.publishTimeout;
    this.#presenceTimeout = options.presenceTimeout ?? defaults.presenceTimeout;
    this.#broker = broker({ history: this.#history });
    const owner = {
      offline: (error: Error) => this.emit('offline', error),
      online: () => this.emit('online'),
      failed: (error: Error) => this.#failed(error),
    };
    const delays = {
      initialDelay: initialDelay ?? defaults.initialDelay,
      maxDelay: maxDelay ?? defaults.maxDelay,
    };
    this.#link = new Link(this.#broker, this.#disconnecting.signal, owner, delays, this.#publishTimeout);
  }

  /** What the broker promises. */
  get guarantees(): BrokerGuarantees {
    return this.#broker.guarantees;
  }

  /** False from 'offline' until 'online'. */
  get online(): boolean {
    return this.#link.online;
  }

  /**
   * Returns a topic, which need not be created: a Writable of its own for each call, with the same members.
   * @param name 1 to 200 bytes of UTF-8 without control characters
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_NOT_OPEN after `close()`
   */
  topic(name: string): Topic {
    checkName(name);
    this.#checkOpen();
    const owner = {
      channel: (topic: string) => this.#channel(topic),
      present: (topic: string, info: unknown) => this.#present(topic, info),
    };
    return new Topic(owner, name);
  }

  /**
   * Returns a member of a topic as an object-mode Duplex: what is written is published, and what is read are the messages of the topic,
   * strings and Buffers. Ending it leaves the topic.
   * @param name 1 to 200 bytes of UTF-8 without control characters
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_NOT_OPEN after `close()`
   * @example
   * ws.pipe(topics.join('lobby')).pipe(ws);
   */
  join(name: string, options: JoinOptions = {}): Joined {
    checkName(name);
    checkJoinOptions(options);
    this.#checkOpen();
    const joined = new Joined(this.#channel(name), options, () => this.#present(name, options.presence));
    this.#joined.add(joined);
    return joined.on('close', () => this.#joined.delete(joined));
  }

  /**
   * Returns who is present in a topic, in all processes.
   * @param name 1 to 200 bytes of UTF-8 without control characters
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_NOT_OPEN after `close()`
   */
  presence(name: string): Presence {
    checkName(name);
    this.#checkOpen();
    return new Presence(() => this.#room(name), this.#closing.signal);
  }

  /**
   * Ends everything: members leave their topics, and their WebSockets stay open; streams of `join()`, `since()` and `changes()` are destroyed
   * with WS_ERR_NOT_OPEN, and so are WebSockets that are piped into a stream of `join()`. Resolves when the broker is closed.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Calls `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const rooms = [...this.#rooms.values()];
    this.#closing.abort();
    await Promise.all(rooms.map((room) => room.close()));
    this.#disconnecting.abort();
    for (const joined of this.#joined) {
      // The program has closed the topics, and knows it.
      tolerateErrors(joined);
      joined.destroy(topicsClosed());
    }
    for (const channel of this.#channels.values()) channel.close();
    await this.#link.close();
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw topicsClosed();
  }

  #channel(name: string): Channel {
    return this.#channels.get(name, () => {
      const recent = new RecentMessages(this.#recent, this.#history);
      return new Channel(this.#link, name, recent, this.#history, this.#publishTimeout);
    });
  }

  #present(name: string, info: unknown): (() => void) | undefined {
    return info === undefined ? undefined : this.#room(name).enter(info);
  }

  #room(name: string): PresenceRoom {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = new PresenceRoom(this.#link, name, this.#history, this.#presenceTimeout, () => this.#rooms.delete(name));
      this.#rooms.set(name, room);
    }
    return room;
  }

  #failed(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else process.emitWarning(`a broker has failed: ${error.message}`, 'WebSocketWarning', 'WS_WARN_BROKER');
  }
}
