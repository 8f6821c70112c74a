import type { IncomingMessage, OutgoingHttpHeaders, Server } from 'node:http';
import { nodeOptionNames } from '../../client/nodeOptions';
import { connectionOptionNames } from '../../options';
import type { ClientOptions as OurClientOptions, ServerOptions as OurServerOptions } from '../../webSocketHandler';

/** The settings of ws for permessage-deflate that have an effect here. */
export interface PerMessageDeflateOptions {
  /** Whether the server compresses each message alone. */
  serverNoContextTakeover?: boolean;
  /** Whether the client compresses each message alone. */
  clientNoContextTakeover?: boolean;
  /** The window of the server, as a power of two: 8 to 15. */
  serverMaxWindowBits?: number;
  /** The window of the client, as a power of two: 8 to 15; a boolean has no effect. */
  clientMaxWindowBits?: number | boolean;
  /** Bytes; smaller messages are sent as they are. Default 1024. */
  threshold?: number;
  /** Of zlib's options, level and memLevel. */
  zlibDeflateOptions?: { level?: number; memLevel?: number };
}

/** The options of this library that servers and clients accept beside those of ws. */
type OwnOptions = Omit<OurServerOptions, 'perMessageDeflate' | 'filter' | 'messages'>;

interface SharedOptions {
  /** Bytes of one message. Default 100 MiB; 0 for no limit. */
  maxPayload?: number;
  /** Compression: whether to use it, or its settings. Default: false for a server, true for a client. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
}

/** The request, as `verifyClient` gets it. */
export interface VerifyClientInfo {
  /** The Origin header. */
  readonly origin: string | undefined;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** The opening request. */
  readonly req: IncomingMessage;
}

/** Accepts a request, or refuses it with a status (default 401), a body and headers. */
export type VerifyClientDone = (
  verified: boolean,
  code?: number,
  message?: string,
  headers?: OutgoingHttpHeaders,
) => void;

/**
 * Returns whether to accept a request; or, if it is declared with two parameters, calls back with that.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that calls back returns nothing
export type VerifyClient = (info: VerifyClientInfo, done: VerifyClientDone) => boolean | void;

/** The options of `new WebSocketServer()` but the class of its WebSockets. */
export interface UpgradeOptions extends SharedOptions, OwnOptions {
  /** The port for a server of its own. */
  port?: number | null;
  /** The host that the server of its own listens on. */
  host?: string | null;
  /** How many connections may wait for the server of its own. */
  backlog?: number | null;
  /** The HTTP server whose upgrades it takes. */
  server?: Server | null;
  /** Whether the program calls `handleUpgrade()` itself. */
  noServer?: boolean;
  /** The path of the requests to take; others get 400. Default: any. */
  path?: string | null;
  /** Decides whether to accept a request. */
  verifyClient?: VerifyClient | null;
  /** Chooses one of the subprotocols that are offered, or none. Default: the first. */
  handleProtocols?: ((protocols: Set<string>, request: IncomingMessage) => string | false) | null;
  /** Whether there is a set of `clients`. Default true. */
  clientTracking?: boolean;
}

/** The options of `new WebSocket(url)`: those of ws, and those of `connect()`. Others are ignored, as ws does. */
export interface ClientOptions
  extends SharedOptions,
    Omit<OurClientOptions, 'perMessageDeflate' | 'protocols' | 'messages'> {
  /** The subprotocols to offer, where the second argument is these options. */
  protocols?: string | string[];
  /** The version of the protocol. Default 13. */
  protocolVersion?: 8 | 13;
  /** How many redirects to follow with `followRedirects: true`. Default 10. */
  maxRedirects?: number;
}

const defaultMaxPayload = 100 * 1024 * 1024;
const defaultThreshold = 1024;
const defaultRedirects = 10;

/** The options of ws as those of `handleHttpUpgrade()`. */
export function toServerOptions(options: UpgradeOptions): OurServerOptions {
  // A program that checks each request itself has decided about origins as well.
  const origins = options.verifyClient ? { origins: 'any' as const } : {};
  return { ...origins, ...shared(options), ...pick(options, ['versions', 'handshakeTimeout', 'origins']) };
}

/** The options of ws as those of `connect()`. */
export function toClientOptions(options: ClientOptions, protocols: readonly string[]): OurClientOptions {
  const { protocolVersion, followRedirects, maxRedirects = defaultRedirects, perMessageDeflate = true } = options;
  return {
    // ws does not use Node's option for the timeout of a socket.
    ...pick(
      options,
      nodeOptionNames.filter((name) => name !== 'timeout'),
    ),
    ...shared({ ...options, perMessageDeflate }),
    ...pick(options, ['headers', 'origin', 'version', 'versions', 'http2', 'handshakeTimeout', 'signal']),
    protocols,
    ...(protocolVersion !== undefined && { version: String(protocolVersion) as '8' | '13' }),
    followRedirects: followRedirects === true ? maxRedirects : (followRedirects ?? false),
  };
}

function shared(options: SharedOptions & OwnOptions): OwnOptions & Pick<OurServerOptions, 'perMessageDeflate'> {
  const { maxPayload = defaultMaxPayload, perMessageDeflate } = options;
  return {
    maxMessageSize: maxPayload === 0 ? Number.POSITIVE_INFINITY : maxPayload,
    ...pick(
      options,
      connectionOptionNames.filter((name) => name !== 'messages'),
    ),
    perMessageDeflate: toDeflateOptions(perMessageDeflate),
  };
}

function toDeflateOptions(
  options: boolean | PerMessageDeflateOptions | null | undefined,
): NonNullable<OurServerOptions['perMessageDeflate']> {
  if (!options) return false;
  const settings = options === true ? {} : options;
  const { threshold = defaultThreshold, clientMaxWindowBits, zlibDeflateOptions = {} } = settings;
  return {
    threshold,
    ...pick(settings, ['serverNoContextTakeover', 'clientNoContextTakeover', 'serverMaxWindowBits']),
    ...pick(zlibDeflateOptions, ['level', 'memLevel']),
    ...(typeof clientMaxWindowBits === 'number' && { clientMaxWindowBits }),
  };
}

/** Returns the named options that are set. Null counts as not set, because null is the default of many options of ws. */
function pick<T extends object, K extends PropertyKey>(options: T, names: readonly K[]): Pick<T, K & keyof T> {
  const given = names.filter((name) => (options as Record<PropertyKey, unknown>)[name] != null);
  return Object.fromEntries(given.map((name) => [name, options[name as unknown as keyof T]])) as Pick<T, K & keyof T>;
}
