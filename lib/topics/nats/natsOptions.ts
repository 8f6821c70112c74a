import type { BrokerSettings } from '../broker';
import {
  checkDriverOptions,
  type DriverRule,
  limitRule,
  nameRule,
  oneOf,
  retentionRule,
  timeoutRule,
} from '../drivers/driverOptions';

/** The options of `natsBroker()`. Those that describe the stream are used when the driver makes it; an existing stream stays as it is. */
export interface NatsBrokerOptions {
  /** The name of the stream with all topics, and the first part of its subjects. Default `'TOPICS'`. */
  readonly stream?: string;
  /**
   * How long the stream keeps messages, in milliseconds. It is at least `history.maxAge`, and may be much longer, because a cursor is
   * continued only if the stream still has a message of its topic that is as old: a topic in which nothing was published for this time is
   * reported as `'evicted'`. Default: a day, or `history.maxAge` if that is more.
   */
  readonly retention?: number;
  /** The most bytes of the whole stream; then the oldest messages are deleted. Default: the limit of the server. */
  readonly maxBytes?: number;
  /** How many servers of a cluster have a copy of the stream: 1, 3 or 5. Default 1. */
  readonly replicas?: number;
  /** Default `'file'`. With `'memory'`, all messages are lost when the server ends. */
  readonly storage?: 'file' | 'memory';
  /** The milliseconds after which a request to NATS fails with WS_ERR_BROKER_UNAVAILABLE. Default 5000. */
  readonly timeout?: number;
  /** The milliseconds between two checks that NATS answers, and that the stream is there. Default 5000. */
  readonly heartbeat?: number;
}

/** What the stream is made of. */
export interface StreamSettings {
  readonly stream: string;
  readonly messages: number;
  readonly maxAge: number;
  readonly retention: number;
  readonly maxBytes?: number;
  readonly replicas: number;
  readonly storage: 'file' | 'memory';
  readonly timeout: number;
  readonly heartbeat: number;
}

const rules: Readonly<Record<keyof NatsBrokerOptions, DriverRule>> = {
  stream: nameRule,
  retention: retentionRule,
  maxBytes: limitRule,
  replicas: limitRule,
  storage: oneOf('file', 'memory'),
  timeout: timeoutRule,
  heartbeat: timeoutRule,
};

const day = 24 * 60 * 60 * 1000;

const defaults = { stream: 'TOPICS', replicas: 1, storage: 'file', timeout: 5000, heartbeat: 5000 } as const;

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkNatsOptions(options: NatsBrokerOptions) {
  return checkDriverOptions(options, rules, defaults);
}

export function toStreamSettings(
  options: ReturnType<typeof checkNatsOptions>,
  { history: { messages, maxAge } }: BrokerSettings,
): StreamSettings {
  return { ...options, messages, maxAge, retention: Math.max(options.retention ?? day, maxAge) };
}
