import type { Abilities } from '../contracts';
import type { ConnectionOptions, HeartbeatSettings } from './types';

export const defaults = {
  version: '13',
  maxMessageSize: 2 * 1024 * 1024,
  closeTimeout: 20_000,
  heartbeat: { interval: 30_000, timeout: 10_000 },
  highWaterMark: { messages: 16, bytes: 64 * 1024 },
  handshakeTimeout: 10_000,
  redirects: 10,
  initialDelay: 1000,
  maxDelay: 30_000,
  lagLimit: 16,
} as const;

/** The names of what can be set for each connection. */
export const connectionOptionNames = [
  'maxMessageSize',
  'closeTimeout',
  'perMessageDeflate',
  'heartbeat',
  'messages',
] as const;

/**
 * What a connection goes by: the options, and the defaults for those that are not set.
 * @param can what its version can do
 */
export function connectionSettings(
  {
    maxMessageSize,
    closeTimeout = defaults.closeTimeout,
    heartbeat,
    perMessageDeflate = false,
    messages,
  }: ConnectionOptions,
  can: Abilities,
) {
  const parts = messages === 'stream';
  // A message that is never held as a whole may be of any size.
  const anySize = parts && can.fragments;
  return {
    maxMessageSize: maxMessageSize ?? (anySize ? Number.POSITIVE_INFINITY : defaults.maxMessageSize),
    closeTimeout,
    heartbeat: heartbeatSettings(heartbeat),
    perMessageDeflate,
    parts,
  };
}

function heartbeatSettings(heartbeat: ConnectionOptions['heartbeat']): HeartbeatSettings | undefined {
  if (heartbeat === undefined) return defaults.heartbeat;
  if (heartbeat === false) return undefined;
  const { interval = defaults.heartbeat.interval, timeout } =
    typeof heartbeat === 'number' ? { interval: heartbeat } : heartbeat;
  return { interval, timeout: timeout ?? Math.min(interval, defaults.heartbeat.timeout) };
}
