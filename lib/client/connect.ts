import type { IncomingHttpHeaders } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { RequestOptions } from 'node:https';
import type { Agreement, Dial, ExtensionOptions, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { offerExtensions, verifyExtensions } from '../extensions';
import { ownListener } from '../nodeStreams/duplexOverrides';
import { defaults, type Streamed } from '../options';
import type { ClientTarget, Http2Opening } from '../transports/client/clientAttempt';
import { protocolVersion } from '../versions';
import type { MessageStream } from '../websocket/messageStream';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { onAbort } from './abortSignals';
import { type ClientOpening, type ClientOpeningOwner, openClient } from './clientHandshake';
import {
  type AnyClientOptions,
  type ClientOptions,
  checkClientOptions,
  http2VersionOf,
  type Versions,
  versionsOf,
} from './clientOptions';
import { parseClientUrl } from './clientUrl';
import { type NodeOptions, nodeOptionNames } from './nodeOptions';

export type { ClientOptions } from './clientOptions';

/**
 * Connects to a server and returns the WebSocket. It can be used at once: messages written before it is open wait in
 * the write queue. If it cannot be opened, it is destroyed with the error.
 * @param url a URL with the scheme ws, wss, http or https, or ws+unix:/path/of/socket:/path?query
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function connect(url: string | URL, options?: ClientOptions): WebSocket;
export function connect(url: string | URL, options: Streamed<ClientOptions>): WebSocket<MessageStream>;
export function connect(url: string | URL, options: AnyClientOptions): AnyWebSocket;
export function connect(url: string | URL, options: AnyClientOptions = {}): AnyWebSocket {
  checkClientOptions(options);
  const target = targetOf(url, options);
  const { signal, protocols = [] } = options;
  const versions = versionsOf(options);
  const extensionsFor = (version: Version): ExtensionOptions =>
    protocolVersion(version).capabilities.extensions ? { perMessageDeflate: options.perMessageDeflate ?? true } : {};
  const agreementOn = (answer: IncomingHttpHeaders, how: Pick<Agreement, 'transport' | 'version'>): Agreement => {
    const wire = protocolVersion(how.version);
    const extensions = answer['sec-websocket-extensions'];
    verifyExtensions(extensions, extensionsFor(how.version));
    const answered = answer[wire.protocolHeader.toLowerCase()] as string | undefined;
    const protocol = verifyProtocol(answered, protocols, wire.capabilities.declineProtocol);
    return { ...how, protocol, extensions: extensions ?? '' };
  };
  const dial: Dial = ({ opened, failed }) =>
    open(openingOf(target, options, versions, extensionsFor), {
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
  const abort = () => webSocket.destroy(new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal?.reason }));
  if (signal?.aborted === true) abort();
  // The signal gets a listener last, so that none is left if a statement above throws.
  else if (signal !== undefined) webSocket.once('close', ownListener(onAbort(signal, abort)));
  return webSocket;
}

function targetOf(url: string | URL, options: AnyClientOptions): ClientTarget {
  const { location, auth, socketPath } = parseClientUrl(url);
  const requestOptions = forNode(options);
  if (auth !== undefined) requestOptions.auth = auth;
  if (socketPath !== undefined) requestOptions.socketPath = socketPath;
  return { location, headers: options.headers ?? {}, requestOptions };
}

function openingOf(
  target: ClientTarget,
  options: AnyClientOptions,
  versions: Versions,
  extensionsFor: (version: Version) => ExtensionOptions,
): ClientOpening {
  const { protocols = [], handshakeTimeout, followRedirects = false, http2 = false, origin } = options;
  const offersFor = (version: Version): Record<string, string> => {
    const offers: Record<string, string> = {};
    if (protocols.length > 0) offers[protocolVersion(version).protocolHeader] = protocols.join(', ');
    const extensions = offerExtensions(extensionsFor(version));
    if (extensions !== '') offers['Sec-WebSocket-Extensions'] = extensions;
    return offers;
  };
  const extendedConnect = (session: ClientHttp2Session | true): Http2Opening => {
    const version = http2VersionOf(options, versions);
    const headers = { ...protocolVersion(version).extendedConnect?.headers(origin), ...offersFor(version) };
    return { session, version, headers };
  };
  return {
    target,
    versions,
    redirects: followRedirects === true ? defaults.redirects : Number(followRedirects),
    timeout: handshakeTimeout ?? defaults.handshakeTimeout,
    handshake: (version, asked) => ({
      ...protocolVersion(version).connect(version, asked, origin),
      offers: offersFor(version),
    }),
    http2: http2 === false ? undefined : extendedConnect(http2),
  };
}

/** Opens a client's connection. If Node refuses an option, this throws at once. */
function open(opening: ClientOpening, owner: ClientOpeningOwner): () => void {
  try {
    return openClient(opening, owner);
  } catch (cause) {
    if (!(cause instanceof Error) || !/^ERR_/.test((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `Node refuses an option: ${cause.message}`, { cause });
  }
}

/**
 * Returns the options for Node, without those of this library: Node would use some of them, such as `highWaterMark`, as
 * its own.
 */
function forNode(options: NodeOptions): RequestOptions {
  const taken = nodeOptionNames.filter((name) => name in options);
  return Object.fromEntries(taken.map((name) => [name, options[name as keyof NodeOptions]]));
}

/** Checks that the server has chosen one of the offered subprotocols, or none (RFC 6455 §4.1). */
function verifyProtocol(answered: string | undefined, offered: readonly string[], mayDecline: boolean): string {
  if (answered === undefined) {
    if (mayDecline || offered.length === 0) return '';
    throw new WebSocketError('WS_ERR_INVALID_HANDSHAKE', 'the server does not answer the subprotocol');
  }
  if (offered.includes(answered)) return answered;
  throw new WebSocketError('WS_ERR_INVALID_HANDSHAKE', `the subprotocol ${answered} was not offered`);
}
