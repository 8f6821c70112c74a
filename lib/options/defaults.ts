import type { Capabilities } from '../contracts';
import type { ConnectionOptions, HeartbeatSettings, HighWaterMark, HighWaterMarkOptions } from './types';

export const defaults = {
  version: '13',
  maxMessageSize: 2 * 1024 * 1024,
  closeTimeout: 20_000,
  heartbeat: { interval: 30_000, timeout: 10_000 },
  readableHighWaterMark: { messages: 16, bytes: 64 * 1024 },
  writableHighWaterMark: { messages: 2, bytes: 64 * 1024 },
  maxBufferedAmount: 16 * 1024 * 1024,
  sendTimeout: 120_000,
  handshakeTimeout: 10_000,
  redirects: 10,
  initialDelay: 1000,
  maxDelay: 30_000,
  lagLimit: 16,
} as const;

/** The names of `ConnectionOptions`. */
export const connectionOptionNames = [
  'maxMessageSize',
  'closeTimeout',
  'perMessageDeflate',
  'heartbeat',
  'messages',
  'highWaterMark',
  'readableHighWaterMark',
  'writableHighWaterMark',
  'maxBufferedAmount',
  'sendTimeout',
  'maxMessageRate',
  'maxLifetime',
  'allowHalfOpen',
  'keepRequest',
] as const;

/**
 * Returns the settings of a connection: its options, and the defaults of the options that are not set.
 * @param capabilities the capabilities of its version
 */
export function connectionSettings(
  {
    maxMessageSize,
    closeTimeout = defaults.closeTimeout,
    heartbeat,
    perMessageDeflate = false,
    messages,
    maxBufferedAmount = defaults.maxBufferedAmount,
    sendTimeout = defaults.sendTimeout,
    maxMessageRate,
    maxLifetime = false,
    allowHalfOpen,
    keepRequest = true,
  }: ConnectionOptions,
  capabilities: Capabilities,
) {
  const parts = messages === 'stream';
  // A message that is received in parts is never in memory as a whole and needs no limit.
  const anySize = parts && capabilities.fragments;
  return {
    maxMessageSize: maxMessageSize ?? (anySize ? Number.POSITIVE_INFINITY : defaults.maxMessageSize),
    closeTimeout,
    heartbeat: heartbeatSettings(heartbeat),
    perMessageDeflate,
    parts,
    maxBufferedAmount,
    sendTimeout: sendTimeout === false ? undefined : sendTimeout,
    maxMessageRate: maxMessageRate === Number.POSITIVE_INFINITY ? undefined : maxMessageRate,
    maxLifetime: maxLifetime === false ? undefined : maxLifetime,
    allowHalfOpen,
    keepRequest,
  };
}

export type Marks = Readonly<Required<HighWaterMark>>;

export const readableMarks = ({ highWaterMark, readableHighWaterMark }: HighWaterMarkOptions): Marks =>
  marks(defaults.readableHighWaterMark, highWaterMark, readableHighWaterMark);

export const writableMarks = ({ highWaterMark, writableHighWaterMark }: HighWaterMarkOptions): Marks =>
  marks(defaults.writableHighWaterMark, highWaterMark, writableHighWaterMark);

/**
 * Returns the marks from the options. If none is set, returns the object of the defaults itself, so that connections
 * share it.
 */
function marks(usual: Marks, both: HighWaterMark | undefined, own: HighWaterMark | undefined): Marks {
  if (both === undefined && own === undefined) return usual;
  return {
    messages: own?.messages ?? both?.messages ?? usual.messages,
    bytes: own?.bytes ?? both?.bytes ?? usual.bytes,
  };
}

function heartbeatSettings(heartbeat: ConnectionOptions['heartbeat']): HeartbeatSettings | undefined {
  if (heartbeat === undefined) return defaults.heartbeat;
  if (heartbeat === false) return undefined;
  const { interval = defaults.heartbeat.interval, timeout } =
    typeof heartbeat === 'number' ? { interval: heartbeat } : heartbeat;
  return { interval, timeout: timeout ?? Math.min(interval, defaults.heartbeat.timeout) };
}
