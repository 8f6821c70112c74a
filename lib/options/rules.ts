import { isSendableCloseCode } from '../closeCodes';
import { isToken, parseExtensions } from '../codec/headers';
import type { PerMessageDeflateOptions, Role } from '../contracts';
import type {
  AddressLimit,
  ConnectOptions,
  HeartbeatOptions,
  HighWaterMark,
  OpeningOptions,
  RetryOptions,
  ServerOptions,
} from './types';

/** Every option of the library that is checked by `checkOptions()`. */
export interface AllOptions
  extends Required<ServerOptions>,
    Required<Omit<ConnectOptions, 'messages'>>,
    Required<Omit<OpeningOptions, 'messages'>>,
    Required<RetryOptions> {
  role: Role;
  extensions: string;
  parts: boolean;
  timeout: number;
  spread: number;
  code: number;
  reason: string;
  policy: string;
  limit: number;
  key: unknown;
  binary: boolean;
  compress: boolean;
  broker: unknown;
  history: object;
  maxBytes: number;
  publishTimeout: number;
  presenceTimeout: number;
  after: string | null;
  format: unknown;
  onResume: unknown;
}

/** A description of the accepted values, which follows "must be" in error messages, and a test for them. */
export type Rule = readonly [accepted: string, test: (value: unknown) => boolean];

/** The longest delay of a Node timer; a longer one would fire at once. */
const longestDelay = 2 ** 31 - 1;

const isDelay = (value: unknown) => typeof value === 'number' && value >= 0 && value <= longestDelay;
const isInterval = (value: unknown) => isDelay(value) && (value as number) >= 1;
const isIntegerIn = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const isCount = isIntegerIn(0, Number.MAX_SAFE_INTEGER);
const isPositive = isIntegerIn(1, Number.MAX_SAFE_INTEGER);
const isPositiveOrInfinity = (value: unknown) => value === Number.POSITIVE_INFINITY || isPositive(value);
const isCountOrInfinity = (value: unknown) => value === Number.POSITIVE_INFINITY || isCount(value);
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isBoolean = (value: unknown) => typeof value === 'boolean';
const isFunction = (value: unknown) => typeof value === 'function';
const isString = (value: unknown) => typeof value === 'string';
const isStringList = (value: unknown) => Array.isArray(value) && value.every(isString);
const isHttp2Session = (value: unknown) => isObject(value) && 'remoteSettings' in value && 'request' in value;

/** The characters of a header value (RFC 9110 §5.5), as Node checks them. */
const isHeaderValue = (value: unknown) => typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);

/**
 * Returns whether a value is an origin as browsers serialize it (RFC 6454 §6.2). Origins are compared as strings, so
 * any other form would match no request.
 */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (value === 'null') return true;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/.test(value)) return false;
  // For schemes that the URL standard does not know, such as those of browser extensions, `URL.origin` is 'null'.
  const { origin } = URL.canParse(value) ? new URL(value) : { origin: undefined };
  return origin === 'null' || origin === value;
}

const delay: Rule = ['milliseconds from 0 to 2147483647', isDelay];
const interval: Rule = ['milliseconds from 1 to 2147483647', isInterval];
const intervalOrFalse: Rule = [
  'milliseconds from 1 to 2147483647, or false',
  (value) => value === false || isInterval(value),
];
const countOrInfinity: Rule = ['a number of connections, 0 or more, or Infinity', isCountOrInfinity];
const bytesOrInfinity: Rule = ['a positive integer of bytes, or Infinity', isPositiveOrInfinity];
const marks: Rule = ['an object with messages and bytes', isObject];
const boolean: Rule = ['a boolean', isBoolean];
const callback: Rule = ['a function', isFunction];
const windowBits: Rule = ['an integer from 8 to 15', isIntegerIn(8, 15)];
const positive: Rule = ['a positive integer', isPositive];

export const rules: Record<keyof AllOptions, Rule> = {
  role: ["'server' or 'client'", (value) => value === 'server' || value === 'client'],
  version: ["the name of a version, such as '13'", isString],
  versions: [
    "an array of at least one version name, such as ['13']",
    (value) => isStringList(value) && (value as string[]).length > 0,
  ],
  maxMessageSize: bytesOrInfinity,
  maxBufferedAmount: bytesOrInfinity,
  sendTimeout: intervalOrFalse,
  maxMessageRate: ['a positive number of messages per second, or Infinity', (value) => isNumber(value) && value > 0],
  maxLifetime: intervalOrFalse,
  maxConnections: countOrInfinity,
  maxConnectionsPerAddress: [
    'a number of connections, 0 or more, Infinity, or an object with limit and addressOf',
    (value) => isObject(value) || isCountOrInfinity(value),
  ],
  memoryBudget: bytesOrInfinity,
  allowHalfOpen: boolean,
  keepRequest: boolean,
  extensions: [
    'the value of a Sec-WebSocket-Extensions header',
    (value) => value === '' || (typeof value === 'string' && parseExtensions(value) !== undefined),
  ],
  parts: boolean,
  perMessageDeflate: ['a boolean or an object with settings', (value) => isBoolean(value) || isObject(value)],
  closeTimeout: delay,
  heartbeat: [
    'milliseconds from 1 to 2147483647, an object with interval and timeout, or false',
    (value) => value === false || isObject(value) || isInterval(value),
  ],
  handshakeTimeout: delay,
  highWaterMark: marks,
  readableHighWaterMark: marks,
  writableHighWaterMark: marks,
  messages: ["'whole' or 'stream'", (value) => value === 'whole' || value === 'stream'],
  origins: [
    "'any', 'same', a function, or an array of origins such as 'https://a.example' or 'http://localhost:8080'," +
      ' in lower case, without a path, a trailing slash or a default port',
    (value) =>
      value === 'any' ||
      value === 'same' ||
      typeof value === 'function' ||
      (Array.isArray(value) && value.every(isOrigin)),
  ],
  filter: callback,
  protocol: ['the name of a subprotocol (a token)', (value) => typeof value === 'string' && isToken(value)],
  // An iterable, such as a Headers object or a Map, is refused, because its headers are not properties.
  headers: ['a plain object with headers', (value) => isObject(value) && !(Symbol.iterator in value)],
  protocols: ['an array of subprotocol names', isStringList],
  origin: ['a string of characters that a header may have', isHeaderValue],
  followRedirects: ['a boolean or a number of redirects', (value) => isBoolean(value) || isCount(value)],
  http2: ['a boolean or a session of http2.connect()', (value) => isBoolean(value) || isHttp2Session(value)],
  initialDelay: delay,
  maxDelay: delay,
  maxAttempts: ['a positive integer, or Infinity', isPositiveOrInfinity],
  retry: callback,
  signal: ['an AbortSignal', (value) => isObject(value) && 'aborted' in value],
  timeout: delay,
  spread: delay,
  code: [
    'a close code: 1000 to 1003, 1007 to 1014, or 3000 to 4999',
    (value) => typeof value === 'number' && isSendableCloseCode(value),
  ],
  reason: ['a string of at most 123 bytes', (value) => typeof value === 'string' && Buffer.byteLength(value) <= 123],
  policy: [
    "'wait', 'drop-oldest', 'keep-latest' or 'close'",
    (value) => ['wait', 'drop-oldest', 'keep-latest', 'close'].includes(value as string),
  ],
  limit: ['a number of messages, 0 or more', isCount],
  key: callback,
  binary: boolean,
  compress: boolean,
  broker: ['a driver: a function that returns a broker, such as memoryBroker()', isFunction],
  maxBytes: bytesOrInfinity,
  history: ['an object with messages, bytes and maxAge', isObject],
  publishTimeout: delay,
  presenceTimeout: interval,
  after: ["a cursor, 'start', or null", (value) => value === null || isString(value)],
  format: callback,
  onResume: callback,
};

const historyRules: Readonly<Record<'messages' | 'bytes' | 'maxAge', Rule>> = {
  messages: positive,
  bytes: bytesOrInfinity,
  maxAge: [
    'milliseconds from 1 to 2147483647, or Infinity',
    (value) => value === Number.POSITIVE_INFINITY || isInterval(value),
  ],
};

const highWaterMarkRules: Record<keyof HighWaterMark, Rule> = { messages: positive, bytes: positive };

const heartbeatRules: Record<keyof HeartbeatOptions, Rule> = { interval, timeout: interval };

const addressLimitRules: Record<keyof AddressLimit, Rule> = { limit: countOrInfinity, addressOf: callback };

const perMessageDeflateRules: Record<keyof PerMessageDeflateOptions, Rule> = {
  serverNoContextTakeover: boolean,
  clientNoContextTakeover: boolean,
  serverMaxWindowBits: windowBits,
  clientMaxWindowBits: windowBits,
  level: ['an integer from 0 to 9', isIntegerIn(0, 9)],
  memLevel: ['an integer from 1 to 9', isIntegerIn(1, 9)],
  threshold: ['an integer of bytes, 0 or more', isCount],
  idleRelease: delay,
};

/** The rules for the settings of options that are objects. */
export const settingRules: { readonly [name in keyof AllOptions]?: Readonly<Record<string, Rule>> } = {
  history: historyRules,
  perMessageDeflate: perMessageDeflateRules,
  heartbeat: heartbeatRules,
  maxConnectionsPerAddress: addressLimitRules,
  highWaterMark: highWaterMarkRules,
  readableHighWaterMark: highWaterMarkRules,
  writableHighWaterMark: highWaterMarkRules,
};
