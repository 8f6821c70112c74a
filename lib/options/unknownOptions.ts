import { WebSocketError } from '../errors';

/**
 * Options of other libraries (ws, websocket, faye-websocket, uWebSockets.js, Socket.IO, reconnecting-websocket) and of
 * our other role, with our options that do the same. The first of them that the function accepts is suggested.
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
  cookie: ['headers'],
  cookies: ['headers'],
  authorization: ['headers'],
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
 * Refuses options that are not accepted. Without this check, a misspelt name would silently leave the default in use.
 * An option that is undefined counts as absent.
 * @param names the accepted options
 * @param prefix the text before the names in the error message
 * @param remedies advice for certain refused options
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

/** Returns the record's own property of this name, not one inherited from Object. */
function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Returns the accepted name with the smallest edit distance, if it is small. */
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

/**
 * Returns the Levenshtein distance: the number of characters that must be inserted, deleted or replaced to turn one
 * name into the other.
 */
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
