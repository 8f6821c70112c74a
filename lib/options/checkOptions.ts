import { isToken, parseExtensions } from '../codec/headers';
import type { PerMessageDeflateOptions, Role } from '../contracts';
import { WebSocketError } from '../errors';
import type {
  ConnectOptions,
  HeartbeatOptions,
  HighWaterMark,
  OpeningOptions,
  RetryOptions,
  ServerOptions,
} from './types';

interface AllOptions
  extends Required<ServerOptions>,
    Required<Omit<ConnectOptions, 'messages'>>,
    Required<Omit<OpeningOptions, 'messages'>>,
    Required<RetryOptions> {
  role: Role;
  extensions: string;
  timeout: number;
  spread: number;
  policy: string;
  limit: number;
  key: unknown;
}

type Rule = readonly [takes: string, test: (value: unknown) => boolean];

/** The longest delay of a Node timer; a longer one would fire at once. */
const longestDelay = 2 ** 31 - 1;

const isDelay = (value: unknown) => typeof value === 'number' && value >= 0 && value <= longestDelay;
const isInterval = (value: unknown) => isDelay(value) && (value as number) >= 1;
const isIntegerIn = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const isCount = isIntegerIn(0, Number.MAX_SAFE_INTEGER);
const isPositive = isIntegerIn(1, Number.MAX_SAFE_INTEGER);
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isBoolean = (value: unknown) => typeof value === 'boolean';
const isFunction = (value: unknown) => typeof value === 'function';
const isStringList = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');
const isHttp2Session = (value: unknown) => isObject(value) && 'remoteSettings' in value && 'request' in value;

const rules: Record<keyof AllOptions, Rule> = {
  role: ["'server' or 'client'", (value) => value === 'server' || value === 'client'],
  version: ['the name of a version', (value) => typeof value === 'string'],
  versions: ['an array with names of versions', isStringList],
  maxMessageSize: [
    'a positive integer of bytes, or Infinity',
    (value) => value === Number.POSITIVE_INFINITY || isPositive(value),
  ],
  extensions: [
    'the value of a Sec-WebSocket-Extensions header',
    (value) => value === '' || (typeof value === 'string' && parseExtensions(value) !== undefined),
  ],
  perMessageDeflate: ['a boolean or an object with settings', (value) => isBoolean(value) || isObject(value)],
  closeTimeout: ['milliseconds, 0 to 2147483647', isDelay],
  heartbeat: [
    'false, milliseconds (1 to 2147483647), or an object with interval and timeout',
    (value) => value === false || isObject(value) || isInterval(value),
  ],
  handshakeTimeout: ['milliseconds, 0 to 2147483647', isDelay],
  highWaterMark: ['an object with messages and bytes', isObject],
  readableHighWaterMark: ['an object with messages and bytes', isObject],
  writableHighWaterMark: ['an object with messages and bytes', isObject],
  maxBufferedAmount: [
    'a positive integer of bytes, or Infinity',
    (value) => value === Number.POSITIVE_INFINITY || isPositive(value),
  ],
  sendTimeout: ['milliseconds, 1 to 2147483647, or false', (value) => value === false || isInterval(value)],
  allowHalfOpen: ['a boolean', isBoolean],
  messages: ["'whole' or 'stream'", (value) => value === 'whole' || value === 'stream'],
  origins: [
    "'any', 'same', an array of origins, or a function",
    (value) => value === 'any' || value === 'same' || typeof value === 'function' || isStringList(value),
  ],
  filter: ['a function', isFunction],
  protocol: ['the name of a subprotocol (a token)', (value) => typeof value === 'string' && isToken(value)],
  // One that can be iterated over, a Headers object say, has none of its headers as properties.
  headers: ['a plain object with headers', (value) => isObject(value) && !(Symbol.iterator in value)],
  protocols: ['an array with names of subprotocols', isStringList],
  origin: ['a string', (value) => typeof value === 'string'],
  followRedirects: ['a boolean, or a number of redirects', (value) => isBoolean(value) || isCount(value)],
  http2: ['a boolean, or a session of http2.connect()', (value) => isBoolean(value) || isHttp2Session(value)],
  initialDelay: ['milliseconds, 0 to 2147483647', isDelay],
  maxDelay: ['milliseconds, 0 to 2147483647', isDelay],
  retry: ['a function', isFunction],
  signal: ['an AbortSignal', (value) => isObject(value) && 'aborted' in value],
  timeout: ['milliseconds, 0 to 2147483647', isDelay],
  spread: ['milliseconds, 0 to 2147483647', isDelay],
  policy: [
    "'wait', 'drop-oldest', 'keep-latest' or 'close'",
    (value) => ['wait', 'drop-oldest', 'keep-latest', 'close'].includes(value as string),
  ],
  limit: ['a number of messages, 0 or more', isCount],
  key: ['a function', isFunction],
};

const highWaterMarkRules: Record<keyof HighWaterMark, Rule> = {
  messages: ['a positive integer', isPositive],
  bytes: ['a positive integer', isPositive],
};

const heartbeatRules: Record<keyof HeartbeatOptions, Rule> = {
  interval: ['milliseconds, 1 to 2147483647', isInterval],
  timeout: ['milliseconds, 1 to 2147483647', isInterval],
};

const perMessageDeflateRules: Record<keyof PerMessageDeflateOptions, Rule> = {
  serverNoContextTakeover: ['a boolean', isBoolean],
  clientNoContextTakeover: ['a boolean', isBoolean],
  serverMaxWindowBits: ['an integer, 8 to 15', isIntegerIn(8, 15)],
  clientMaxWindowBits: ['an integer, 8 to 15', isIntegerIn(8, 15)],
  level: ['an integer, 0 to 9', isIntegerIn(0, 9)],
  memLevel: ['an integer, 1 to 9', isIntegerIn(1, 9)],
  threshold: ['an integer of bytes', isCount],
  idleRelease: ['milliseconds, 0 to 2147483647', isDelay],
};

/** Options that may be objects with settings. */
const settings: { readonly [name in keyof AllOptions]?: Readonly<Record<string, Rule>> } = {
  perMessageDeflate: perMessageDeflateRules,
  heartbeat: heartbeatRules,
  highWaterMark: highWaterMarkRules,
  readableHighWaterMark: highWaterMarkRules,
  writableHighWaterMark: highWaterMarkRules,
};

/**
 * Checks the named options and returns them. One that is absent or undefined is left to its default; only `role` has none.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, naming the option and what it takes
 */
export function checkOptions<T extends object, K extends keyof T & keyof AllOptions>(options: T, ...names: K[]): T {
  if (typeof options !== 'object' || options === null) {
    throw invalid('the options must be an object');
  }
  for (const name of names) {
    const value: unknown = options[name];
    if (value !== undefined || name === 'role') checkOption(name, value, rules[name]);
    const settingRules = settings[name];
    if (settingRules !== undefined && isObject(value)) checkSettings(name, value, settingRules);
  }
  return options;
}

function checkSettings(option: string, values: object, settingRules: Readonly<Record<string, Rule>>): void {
  for (const [name, value] of Object.entries(values)) {
    const rule = Object.hasOwn(settingRules, name) ? settingRules[name] : undefined;
    // A misspelt name would quietly leave the default in place.
    if (rule === undefined) throw invalid(`${option} has no setting ${name}`);
    if (value !== undefined) checkOption(`${option}.${name}`, value, rule);
  }
}

function checkOption(name: string, value: unknown, [takes, test]: Rule): void {
  if (!test(value)) throw invalid(`the option ${name} takes ${takes}`);
}

function invalid(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
}
