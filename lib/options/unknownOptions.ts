import { WebSocketError } from '../errors';

/**
 * Options of other libraries (ws, websocket, faye-websocket, uWebSockets.js, Socket.IO, reconnecting-websocket), and ours of
 * the other role, with the options of ours that do the same. The first that is accepted in a place is suggested there.
 */
const aliases: Readonly<Record<string, readonly string[]>> = {
  maxPayload: ['maxMessageSize'],
  maxPayloadLength: ['maxMessageSize'],
  maxLength: ['maxMessageSize'],
  maxHttpBufferSize: ['maxMessageSize'],
  maxReceivedFrameSize: ['maxMessageSize'],
  maxReceivedMessageSize: ['maxMessageSize'],
  maxBackpressure: ['maxBufferedAmount'],
  path: ['filter'],
  noServer: ['filter'],
  verifyClient: ['filter'],
  origin: ['origins'],
  origins: ['origin'],
  allowedOrigins: ['origins'],
  cors: ['origins'],
  protocol: ['protocols'],
  protocols: ['protocol'],
  subprotocols: ['protocols', 'protocol'],
  handleProtocols: ['protocol'],
  protocolVersion: ['version', 'versions'],
  compression: ['perMessageDeflate'],
  zlibDeflateOptions: ['level'],
  zlibInflateOptions: ['level'],
  ping: ['heartbeat'],
  pingInterval: ['heartbeat', 'interval'],
  pingTimeout: ['heartbeat', 'timeout'],
  idleTimeout: ['heartbeat'],
  keepalive: ['heartbeat'],
  keepaliveInterval: ['heartbeat'],
  connectionTimeout: ['handshakeTimeout'],
  maxRedirects: ['followRedirects'],
  maxRetries: ['maxAttempts'],
  reconnectionAttempts: ['maxAttempts'],
  reconnectInterval: ['initialDelay'],
  reconnectionDelay: ['initialDelay'],
  minReconnectionDelay: ['initialDelay'],
  maxReconnectInterval: ['maxDelay'],
  maxReconnectionDelay: ['maxDelay'],
  reconnectionDelayMax: ['maxDelay'],
};

/**
 * Refuses options that are not accepted: without that, a misspelt name would leave a default in place. One that is undefined
 * counts as absent.
 * @param names every option that is accepted
 * @param prefix what stands before the names in the error message
 * @param remedies says of options that are refused what to do instead
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT with the nearest option that is accepted
 */
export function refuseUnknown(
  options: object,
  names: readonly string[],
  prefix = '',
  remedies: Readonly<Record<string, string>> = {},
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || names.includes(name)) continue;
    const alias = ownValue(aliases, name)?.find((candidate) => names.includes(candidate));
    const suggestion = alias ?? nearest(name, names);
    const remedy =
      ownValue(remedies, name) ??
      (suggestion === undefined ? `known are ${[...names].sort().join(', ')}` : `did you mean ${prefix}${suggestion}?`);
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `unknown option ${prefix}${name}; ${remedy}`);
  }
}

/** The property of that name, and nothing that is inherited from Object. */
function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** The accepted name with the fewest differences in spelling, if they are few. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const lowered = name.toLowerCase();
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const differences = editDistance(lowered, candidate.toLowerCase());
    if (differences < fewest) {
      best = candidate;
      fewest = differences;
    }
  }
  return best;
}

/** The Levenshtein distance: how many characters have to be inserted, deleted or replaced to make one of the other. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] as number) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
