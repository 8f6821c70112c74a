/**
 * The contract between `Topics` and a broker. A driver is a function that returns a `Broker`; `topics/contract/` has the specs that
 * every driver must pass. A topic is a log: messages are added at its end, each with an offset, and the oldest are deleted by the limits of
 * its history.
 */

/** The limits of the history of each topic. When one of them is exceeded, the oldest messages are deleted. */
export interface HistoryLimits {
  /** The most messages. Default 1000. */
  readonly messages?: number;
  /** The most bytes of all messages together; Infinity for no limit. Default 16 MiB. */
  readonly bytes?: number;
  /** The age in milliseconds at which a message is deleted; Infinity for no limit. Default 300,000: five minutes. */
  readonly maxAge?: number;
}

/** What `Topics` asks of a broker. */
export interface BrokerSettings {
  /** The limits, with their defaults. */
  readonly history: Required<HistoryLimits>;
}

/**
 * A driver, and the value of the option `broker`: makes the broker of one `Topics`. It must not wait and must not throw because the broker
 * cannot be reached: the functions of the Broker say so. `Topics` calls it once.
 */
export type BrokerDriver = (settings: BrokerSettings) => Broker;

/** A message as a broker keeps it. A string is a text message, a Buffer a binary one: both come back as they were published. */
export interface TopicMessage {
  /** The cursor of the message, `epoch:offset`: the position behind it. */
  readonly id: string;
  /** The message: a string is text, a Buffer bytes. */
  readonly data: string | Buffer;
  /** Whether `data` is a Buffer. */
  readonly binary: boolean;
}

/** Why a cursor cannot be continued: messages behind it were deleted, or it belongs to another log, such as one before a restart. */
export type LostReason = 'evicted' | 'epoch';

/** The messages of a topic that the broker has. */
export interface TopicBounds {
  /** The identity of the log, without a colon. It changes when offsets begin anew: the log was deleted, or its broker has lost it. */
  readonly epoch: string;
  /**
   * The least offset from which no message is missing: all messages published with this offset or a higher one are kept. So a cursor can be
   * continued if its offset is `first - 1` or more. `last + 1` if no message is kept.
   */
  readonly first: number;
  /** The offset of the last message that was published, whether it is kept or not; 0 or more if there was none. */
  readonly last: number;
}

/** What a broker promises. `docs/topics.md` explains each to users. */
export interface BrokerGuarantees {
  /** Whether all readers of a topic read the same messages in the same order, which for one publisher is the order of its calls. */
  readonly ordered: boolean;
  /** Whether messages survive the end of this process. */
  readonly durable: boolean;
  /** Whether a reader can continue after a cursor. */
  readonly history: boolean;
  /**
   * Whether a message that is published twice with the same `key`, within two minutes, is added once. Then `Topics` publishes again what has
   * failed with WS_ERR_BROKER_UNAVAILABLE. Default false.
   */
  readonly deduplicates?: boolean;
  /** Whether `history.bytes` limits each topic. Default true. */
  readonly limitsBytes?: boolean;
}

/** How a message is published. */
export interface PublishOptions {
  /** Ends the wait: the promise rejects with WS_ERR_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** A name that no other message has. A broker that deduplicates adds messages with the same key once, and resolves with the same cursor. */
  readonly key?: string | undefined;
}

/**
 * The broker of one `Topics`. `history.messages` is at least 1. Names of topics are not empty, have at most 255 bytes of UTF-8, and only whole characters; a driver escapes
 * them so that no name reaches the subject or the key of another. Topics need not be created.
 *
 * Errors are WebSocketErrors. WS_ERR_BROKER_UNAVAILABLE: the broker could not be asked, or has not answered; the same call may succeed
 * later. WS_ERR_BROKER_REFUSED: it has answered that it does not do this, for example because its memory is full.
 */
export interface Broker {
  /** What it promises. It does not change. */
  readonly guarantees: BrokerGuarantees;
  /** The largest message in bytes; undefined if there is no limit, or if it is not known yet. `Topics` refuses larger messages. */
  readonly maxMessageSize: number | undefined;

  /**
   * Adds a message, and resolves with its cursor as soon as the broker has it. Rejects if the broker may not have it: never silence. It
   * settles in a time that the driver limits. Several calls may be under way; those for one topic keep their order. A driver may try again by
   * itself only if it can rule out that the message is added twice.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE (the broker may have the message nevertheless), WS_ERR_BROKER_REFUSED,
   * WS_ERR_MESSAGE_TOO_BIG, WS_ERR_ABORTED, WS_ERR_NOT_OPEN after `close()`
   */
  publish(topic: string, data: string | Buffer, options?: PublishOptions): Promise<string>;

  /**
   * Reads all messages with an offset above that of `after`, in order, each once: first those that are kept, then those that are
   * published, without an end. The iteration is done when the signal aborts or `close()` was called, also if it waits at that time.
   *
   * The reader pulls: however many messages there are, only a bounded number waits in memory for a reader that does not ask for the next.
   * It may pause for any time; if messages that it has not read are deleted meanwhile, it is told.
   * @param after a cursor: the id of a message, or one of the same epoch with any offset from `first - 1` to `last` of `bounds()`
   * @throws WebSocketError in the iteration: WS_ERR_TOPIC_LOST with `lost`, before the first message behind the gap, if `after` is below the
   * history or of another epoch, or if messages were deleted before they were read; WS_ERR_BROKER_UNAVAILABLE, WS_ERR_BROKER_REFUSED
   */
  read(topic: string, after: string, signal: AbortSignal): AsyncIterable<TopicMessage>;

  /**
   * Resolves with the bounds of the history. Messages whose `publish()` has resolved are counted.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE, WS_ERR_BROKER_REFUSED, WS_ERR_NOT_OPEN after `close()`
   */
  bounds(topic: string): Promise<TopicBounds>;

  /**
   * Ends all reads, rejects what is under way with WS_ERR_NOT_OPEN, and resolves when no timer and no socket of the driver is left. A
   * connection that the program has passed to the driver belongs to the program, and stays open. A second call has no effect.
   */
  close(): Promise<void>;
}
