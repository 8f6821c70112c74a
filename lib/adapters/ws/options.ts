import type { IncomingMessage, OutgoingHttpHeaders, Server } from 'node:http';
import { nodeOptionNames } from '../../client/nodeOptions';
import { connectionOptionNames } from '../../options';
import type { ClientOptions as OurClientOptions, ServerOptions as OurServerOptions } from '../../webSocketHandler';

/** The settings of ws for permessage-deflate that have an effect here. */
export interface PerMessageDeflateOptions {
  serverNoContextTakeover?: boolean;
  clientNoContextTakeover?: boolean;
  serverMaxWindowBits?: number;
  clientMaxWindowBits?: number | boolean;
  /** Bytes; smaller messages are sent as they are. Default 1024. */
  threshold?: number;
  zlibDeflateOptions?: { level?: number; memLevel?: number };
}

/** Our options that both ends take beside those of ws. */
type OwnOptions = Omit<OurServerOptions, 'perMessageDeflate' | 'filter' | 'messages'>;

interface SharedOptions {
  /** Bytes of one message. Default 100 MiB; 0 for no limit. */
  maxPayload?: number;
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
}

/** What a `verifyClient` is told of a request. */
export interface VerifyClientInfo {
  readonly origin: string | undefined;
  readonly secure: boolean;
  readonly req: IncomingMessage;
}

export type VerifyClientDone = (
  verified: boolean,
  code?: number,
  message?: string,
  headers?: OutgoingHttpHeaders,
) => void;

export type VerifyClient =
  | ((info: VerifyClientInfo) => boolean)
  | ((info: VerifyClientInfo, done: VerifyClientDone) => void);

/** The options of `new WebSocketServer()` but the class of its WebSockets. */
export interface UpgradeOptions extends SharedOptions, OwnOptions {
  port?: number | null;
  host?: string | null;
  backlog?: number | null;
  server?: Server | null;
  noServer?: boolean;
  path?: string | null;
  verifyClient?: VerifyClient | null;
  handleProtocols?: ((protocols: Set<string>, request: IncomingMessage) => string | false) | null;
  clientTracking?: boolean;
}

/** The options of `new WebSocket(url)`: those of ws, and those of `connect()`. Others are ignored, as ws does. */
export interface ClientOptions
  extends SharedOptions,
    Omit<OurClientOptions, 'perMessageDeflate' | 'protocols' | 'messages'> {
  protocols?: string | string[];
  protocolVersion?: 8 | 13;
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
    // ws has no use for Node's timeout of sockets.
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

/** The named options that were given. Those that are null are not: ws has null for many of its defaults. */
function pick<T extends object, K extends PropertyKey>(options: T, names: readonly K[]): Pick<T, K & keyof T> {
  const given = names.filter((name) => (options as Record<PropertyKey, unknown>)[name] != null);
  return Object.fromEntries(given.map((name) => [name, options[name as unknown as keyof T]])) as Pick<T, K & keyof T>;
}
