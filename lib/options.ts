import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { isToken, parseExtensions } from './codec/headers';
import type { Abilities, ExtensionOptions, PerMessageDeflateOptions, Role, Version } from './contracts';
import { WebSocketError } from './errors';

/** Which origins may connect: everyone, the server's own, those listed, or those the function says yes to. */
export type Origins =
  | 'any'
  | 'same'
  | readonly string[]
  | ((origin: string | undefined, request: IncomingMessage) => boolean);

/** What can be set for each connection. */
export interface ConnectionOptions extends ExtensionOptions {
  /** Bytes of one message, all fragments together. A larger one closes the connection with 1009. Default 2 MiB. */
  maxMessageSize?: number;
  /** Milliseconds that the peer has for its part of the close handshake. Default 20,000. */
  closeTimeout?: number;
  /**
   * Milliseconds of silence after which the peer is pinged, or the settings, or false for no heartbeat. A peer from which nothing
   * at all comes within `timeout` after that is lost: WS_ERR_HEARTBEAT_TIMEOUT. The clock stands still while we do not read, and
   * while what we have sent has not left. Default 30,000. Without effect in versions that have no pings.
   */
  heartbeat?: number | false | HeartbeatOptions;
  /**
   * `'stream'`: each message is delivered as a Readable while it comes, and `maxMessageSize` has no default where the version has
   * fragments. Default `'whole'`.
   */
  messages?: 'whole' | 'stream';
}

export interface HeartbeatOptions {
  /** Milliseconds of silence until the ping. Default 30,000. */
  interval?: number;
  /** Milliseconds for the answer. Default 10,000, or the interval if that is shorter. */
  timeout?: number;
}

export type HeartbeatSettings = Readonly<Required<HeartbeatOptions>>;

export interface ServerOptions extends ConnectionOptions {
  /** The versions to accept; others are answered with 426. Default: all that the library speaks. */
  versions?: readonly Version[];
  /**
   * Milliseconds from the request until the application has answered it, with `connect()` or a response; then a 503 goes
   * out. Default 10,000.
   */
  handshakeTimeout?: number;
  /**
   * Which origins may connect. Default: all, except that a request which carries cookies must come from the server's own
   * host, for a browser sends a user's cookies along from any page.
   */
  origins?: Origins;
  /** Which WebSocket requests to take; the others are left to other 'upgrade' listeners. Default: all. */
  filter?: (request: IncomingMessage) => boolean;
}

/** What `res.webSocket.connect()` takes; it overrides the server's options for this connection. */
export interface ConnectOptions extends ConnectionOptions {
  /** The subprotocol to agree on. It is left out of the answer if the client did not offer it. Default none. */
  protocol?: string;
  /** Headers for the answer, beside those set on `res` and in `responseHeaders`. */
  headers?: OutgoingHttpHeaders;
}

/** What `connect(url)` takes, beside what it hands on to Node. */
export interface OpeningOptions extends ConnectionOptions {
  /** The subprotocols to offer, best first. Default none. */
  protocols?: readonly string[];
  /** Headers for the opening request. */
  headers?: OutgoingHttpHeaders;
  /** The origin to name. Default none; the drafts of 2010 must name one, and get that of the URL. */
  origin?: string;
  /** The version to speak. Default '13'. */
  version?: Version;
  /**
   * In place of `version`: the versions to speak, best first. The first is spoken, unless the server refuses it and names
   * another one of these (RFC 6455 §4.4).
   */
  versions?: readonly Version[];
  /** Milliseconds until the server must have answered, redirects included. Default 10,000. */
  handshakeTimeout?: number;
  /**
   * How often a server may redirect us; true stands for 10. Another origin is not sent credentials or cookies, and a way from
   * wss to ws is not followed. Default false.
   */
  followRedirects?: boolean | number;
  /** Destroys the WebSocket with WS_ERR_ABORTED, at whatever stage it is. */
  signal?: AbortSignal;
}

/** How `reconnecting()` tries again. */
export interface RetryOptions {
  /** Milliseconds: the longest wait after the first failure. It doubles with each one that follows. Default 1,000. */
  initialDelay?: number;
  /** Milliseconds that no wait exceeds, beside what a server asks for with Retry-After, which may be as long. Default 30,000. */
  maxDelay?: number;
  /**
   * Whether to try again after this error. `failures` counts those in a row, without a connection between them that has lasted
   * longer than `maxDelay`. Default: unless the error is the program's own, or one that would come again, such as a 401 or an
   * invalid handshake.
   */
  retry?: (error: Error, failures: number) => boolean;
}

export const defaults = {
  version: '13',
  maxMessageSize: 2 * 1024 * 1024,
  closeTimeout: 20_000,
  heartbeat: { interval: 30_000, timeout: 10_000 },
  handshakeTimeout: 10_000,
  redirects: 10,
  initialDelay: 1000,
  maxDelay: 30_000,
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

interface AllOptions
  extends Required<ServerOptions>,
    Required<ConnectOptions>,
    Required<OpeningOptions>,
    Required<RetryOptions> {
  role: Role;
  extensions: string;
}

type Rule = readonly [takes: string, test: (value: unknown) => boolean];

/** The longest delay of a Node timer; a longer one would fire at once. */
const longestDelay = 2 ** 31 - 1;

const isDelay = (value: unknown) => typeof value === 'number' && value >= 0 && value <= longestDelay;
const isInterval = (value: unknown) => isDelay(value) && (value as number) >= 1;
const isIntegerIn = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const isCount = isIntegerIn(0, Number.MAX_SAFE_INTEGER);
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isBoolean = (value: unknown) => typeof value === 'boolean';
const isFunction = (value: unknown) => typeof value === 'function';
const isStringList = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');

const rules: Record<keyof AllOptions, Rule> = {
  role: ["'server' or 'client'", (value) => value === 'server' || value === 'client'],
  version: ['the name of a version', (value) => typeof value === 'string'],
  versions: ['an array with names of versions', isStringList],
  maxMessageSize: [
    'a positive integer of bytes, or Infinity',
    (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) > 0),
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
  initialDelay: ['milliseconds, 0 to 2147483647', isDelay],
  maxDelay: ['milliseconds, 0 to 2147483647', isDelay],
  retry: ['a function', isFunction],
  signal: ['an AbortSignal', (value) => isObject(value) && 'aborted' in value],
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
    if (name === 'perMessageDeflate' && isObject(value)) checkSettings(name, value, perMessageDeflateRules);
    if (name === 'heartbeat' && isObject(value)) checkSettings(name, value, heartbeatRules);
  }
  return options;
}

function checkSettings<S extends object>(option: string, settings: S, settingRules: Record<keyof S, Rule>): void {
  for (const [name, value] of Object.entries(settings)) {
    const rule = Object.hasOwn(settingRules, name) ? settingRules[name as keyof S] : undefined;
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
