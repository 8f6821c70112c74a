import { type IncomingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { RequestOptions } from 'node:https';
import type { TcpSocketConnectOpts } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { isToken } from '../codec/headers';
import type { Agreement, Dial, ExtensionOptions, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { offerExtensions, verifyExtensions } from '../extensions';
import { checkOptions, connectionOptionNames, defaults, type OpeningOptions, type Streamed } from '../options';
import type { ClientOpeningRequest, Http2Opening } from '../transports/clientAttempt';
import { http2Versions, protocolVersion } from '../versions';
import type { MessageStream } from '../websocket/messageStream';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { openClient } from './clientHandshake';
import { parseClientUrl } from './clientUrl';

/** What the URL, the options of ours and the protocol say. */
type SaidElsewhere = 'headers' | 'method' | 'host' | 'hostname' | 'port' | 'path' | 'protocol' | 'signal' | 'socket';

/** What `connect()` takes, beside everything that Node's `http.request()` and `tls.connect()` take. */
export interface ClientOptions
  extends OpeningOptions,
    Omit<RequestOptions, SaidElsewhere>,
    Omit<TlsOptions, SaidElsewhere | keyof RequestOptions>,
    Pick<
      TcpSocketConnectOpts,
      'autoSelectFamily' | 'autoSelectFamilyAttemptTimeout' | 'keepAlive' | 'keepAliveInitialDelay'
    > {}

type AnyClientOptions = ClientOptions | Streamed<ClientOptions>;

/**
 * Connects to a server. The WebSocket can be used at once: what is written waits until it is open. If it cannot be opened, it
 * is destroyed with an error that says why.
 * @param url with the scheme ws, wss, http or https; or ws+unix:/path/of/socket:/path?query
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function connect(url: string | URL, options?: ClientOptions): WebSocket;
export function connect(url: string | URL, options: Streamed<ClientOptions>): WebSocket<MessageStream>;
export function connect(url: string | URL, options: AnyClientOptions): AnyWebSocket;
export function connect(url: string | URL, options: AnyClientOptions = {}): AnyWebSocket {
  checkClientOptions(options);
  const { location, auth, socketPath } = parseClientUrl(url);
  const { signal, headers = {}, protocols = [], handshakeTimeout, followRedirects = false } = options;
  const { http2 } = options;
  const requestOptions = forNode(options);
  if (auth !== undefined) requestOptions.auth = auth;
  if (socketPath !== undefined) requestOptions.socketPath = socketPath;
  const versions = versionsOf(options);
  checkProtocols(protocols, versions);
  const extensionsFor = (version: Version): ExtensionOptions =>
    protocolVersion(version).capabilities.extensions ? { perMessageDeflate: options.perMessageDeflate ?? true } : {};
  const offersFor = (version: Version): Record<string, string> => {
    const offers: Record<string, string> = {};
    if (protocols.length > 0) offers[protocolVersion(version).protocolHeader] = protocols.join(', ');
    const extensions = offerExtensions(extensionsFor(version));
    if (extensions !== '') offers['Sec-WebSocket-Extensions'] = extensions;
    return offers;
  };
  const opening = {
    target: { location, headers, requestOptions },
    versions,
    redirects: followRedirects === true ? defaults.redirects : Number(followRedirects),
    timeout: handshakeTimeout ?? defaults.handshakeTimeout,
    handshake: (version: Version, asked: URL): ClientOpeningRequest => ({
      ...protocolVersion(version).connect(version, asked, options.origin),
      offers: offersFor(version),
    }),
    http2: http2 ? http2Opening(http2, options, versions, offersFor) : undefined,
  };
  const agreementOn = (answer: IncomingHttpHeaders, how: Pick<Agreement, 'transport' | 'version'>): Agreement => {
    const wire = protocolVersion(how.version);
    const extensions = answer['sec-websocket-extensions'];
    verifyExtensions(extensions, extensionsFor(how.version));
    const answered = answer[wire.protocolHeader.toLowerCase()] as string | undefined;
    const protocol = verifyProtocol(answered, protocols, wire.capabilities.declineProtocol);
    return { ...how, protocol, extensions: extensions ?? '' };
  };
  const dial: Dial = ({ opened, failed }) =>
    openClient(opening, {
      accepted: (answer, transport, how) => opened(transport, agreementOn(answer, how)),
      failed,
    });
  const webSocket: WebSocket = new WebSocket({
    role: 'client',
    options: { ...options, ...extensionsFor(versions[0]) },
    version: versions[0],
    protocols,
    ...(signal?.aborted !== true && { dial }),
  });
  if (signal !== undefined) abortWith(signal, webSocket);
  return webSocket;
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
function http2Opening(
  session: true | ClientHttp2Session,
  { agent, origin }: AnyClientOptions,
  versions: Versions,
  offersFor: (version: Version) => Record<string, string>,
): Http2Opening {
  if (agent) throw invalid('the options http2 and agent exclude each other; http2 takes a session through a proxy');
  const version = versions.find((known) => http2Versions.includes(known));
  if (version === undefined) throw invalid(`the option http2 needs version ${http2Versions.join(' or ')}`);
  return {
    session,
    version,
    headers: { ...protocolVersion(version).extendedConnect?.headers(origin), ...offersFor(version) },
  };
}

/** Leaves out those of our options that Node would take as well, for its socket. It ignores the others. */
function forNode({
  headers: _headers,
  signal: _signal,
  http2: _http2,
  highWaterMark: _highWaterMark,
  readableHighWaterMark: _readableHighWaterMark,
  writableHighWaterMark: _writableHighWaterMark,
  allowHalfOpen: _allowHalfOpen,
  ...others
}: AnyClientOptions): RequestOptions {
  return others;
}

/** Returns whether the signal has aborted already. */
function abortWith(signal: AbortSignal, webSocket: WebSocket): boolean {
  const abort = () => webSocket.destroy(new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal.reason }));
  if (signal.aborted) {
    abort();
    return true;
  }
  signal.addEventListener('abort', abort, { once: true });
  webSocket.once('close', () => signal.removeEventListener('abort', abort));
  return false;
}

function checkClientOptions(options: AnyClientOptions): void {
  checkOptions(options, 'version', 'versions', 'protocols', 'origin', 'headers', 'signal', 'followRedirects', 'http2');
  checkOptions(options, 'handshakeTimeout', ...connectionOptionNames);
  for (const [name, value] of Object.entries(options.headers ?? {})) checkHeader(name, value);
}

function checkHeader(name: string, value: unknown): void {
  if (/^(?:connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i.test(name)) {
    const option = /protocol$/i.test(name) ? 'there is the option protocols' : 'it belongs to the handshake';
    throw invalid(`the option headers cannot have ${name}: ${option}`);
  }
  try {
    validateHeaderName(name);
    for (const item of Array.isArray(value) ? value : [value]) validateHeaderValue(name, item);
  } catch (cause) {
    throw invalid(`the option headers has a bad one: ${(cause as Error).message}`, cause);
  }
}

type Versions = readonly [Version, ...Version[]];

function versionsOf({ version, versions }: AnyClientOptions): Versions {
  if (version !== undefined && versions !== undefined) {
    throw invalid('the options version and versions exclude each other');
  }
  const [first, ...others] = versions ?? [version ?? defaults.version];
  if (first === undefined) throw invalid('the option versions takes at least one version');
  for (const known of [first, ...others]) protocolVersion(known);
  return [first, ...others];
}

function checkProtocols(protocols: readonly string[], versions: Versions): void {
  if (!protocols.every(isToken) || new Set(protocols).size < protocols.length) {
    throw invalid('the option protocols takes an array of distinct names (tokens)');
  }
  if (protocols.length > 1 && !versions.every((version) => protocolVersion(version).capabilities.declineProtocol)) {
    throw invalid('the option protocols takes one name at the most, for this version');
  }
}

/** One that was offered, or none (RFC 6455 §4.1). */
function verifyProtocol(answered: string | undefined, offered: readonly string[], mayDecline: boolean): string {
  if (answered === undefined) {
    if (mayDecline || offered.length === 0) return '';
    throw new WebSocketError('WS_ERR_INVALID_HANDSHAKE', 'the server does not answer the subprotocol');
  }
  if (offered.includes(answered)) return answered;
  throw new WebSocketError('WS_ERR_INVALID_HANDSHAKE', `the subprotocol ${answered} was not offered`);
}

function invalid(detail: string, cause?: unknown): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail, cause === undefined ? {} : { cause });
}
