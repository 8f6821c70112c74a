import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { isToken } from './codec/headers';
import type { Agreement, ExtensionOptions, Transport, Version } from './contracts';
import { draftFor } from './drafts';
import { WebSocketError } from './errors';
import { offerExtensions, verifyExtensions } from './extensions';
import { type ConnectionOptions, checkOptions, defaults } from './options';
import { WebSocket } from './streams/webSocket';
import { openHttp1 } from './transports/http1Client';

/** What `connect()` takes, beside everything that Node's `http.request()` and `tls.connect()` take. */
export interface ClientOptions
  extends ConnectionOptions,
    Omit<RequestOptions, 'headers' | 'method' | 'host' | 'hostname' | 'port' | 'path' | 'protocol' | 'signal'> {
  /** The subprotocols to offer, best first. Default none. */
  protocols?: readonly string[];
  /** Headers for the opening request. */
  headers?: OutgoingHttpHeaders;
  /** The origin to name. Default none; the drafts of 2010 must name one, and get that of the URL. */
  origin?: string;
  /** The version to speak. Default '13'. */
  version?: Version;
  /** Milliseconds until the server must have answered. Default 10,000. */
  handshakeTimeout?: number;
}

/**
 * Connects to a server. The WebSocket can be used at once: what is written waits until it is open. If it cannot be opened, it
 * is destroyed with an error that says why.
 * @param url with the scheme ws, wss, http or https
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function connect(url: string | URL, options: ClientOptions = {}): WebSocket {
  checkOptions(
    options,
    'version',
    'maxMessageSize',
    'closeTimeout',
    'perMessageDeflate',
    'handshakeTimeout',
    'headers',
  );
  const { location, auth } = parseUrl(url);
  const { protocols = [], headers = {}, origin, version = defaults.version, handshakeTimeout } = options;
  const draft = draftFor(version);
  checkProtocols(protocols, draft.can.declineProtocol ? Number.POSITIVE_INFINITY : 1);
  const extensionOptions: ExtensionOptions = draft.can.extensions
    ? { perMessageDeflate: options.perMessageDeflate ?? true }
    : {};
  const offer = offerExtensions(extensionOptions);
  const handshake = draft.connect(version, location, origin);
  let giveUp = () => {};
  const webSocket: WebSocket = new WebSocket({
    role: 'client',
    options: { ...options, ...extensionOptions },
    version,
    protocols,
    giveUp: () => giveUp(),
  });
  const opening = {
    url: location,
    handshake,
    headers: {
      ...(protocols.length > 0 && { [draft.protocolHeader]: protocols.join(', ') }),
      ...(offer !== '' && { 'Sec-WebSocket-Extensions': offer }),
      ...headers,
    },
    requestOptions: auth === undefined ? options : { ...options, auth },
    timeout: handshakeTimeout ?? defaults.handshakeTimeout,
  };
  giveUp = openHttp1(opening, {
    accepted(response: IncomingMessage, transport: Transport) {
      const extensions = response.headers['sec-websocket-extensions'];
      verifyExtensions(extensions, extensionOptions);
      const answered = response.headers[draft.protocolHeader.toLowerCase()] as string | undefined;
      const protocol = verifyProtocol(answered, protocols, draft.can.declineProtocol);
      const agreement: Agreement = { version, protocol, extensions: extensions ?? '' };
      WebSocket.open(webSocket, transport, agreement);
    },
    failed: (error) => webSocket.destroy(error),
  });
  return webSocket;
}

const schemes: Readonly<Record<string, string>> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' };

/** Name and password are for HTTP's own authentication; they are not told as part of the location. */
function parseUrl(url: string | URL): { location: URL; auth: string | undefined } {
  const parsed = URL.canParse(String(url)) ? new URL(String(url)) : undefined;
  const scheme = parsed && schemes[parsed.protocol];
  if (parsed === undefined || scheme === undefined)
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'the URL must be one with the scheme ws, wss, http or https');
  // Fragments have no meaning here (RFC 6455 §3), and stay with us.
  parsed.hash = '';
  parsed.protocol = scheme;
  const { username, password } = parsed;
  parsed.username = parsed.password = '';
  const auth = username === '' ? undefined : `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { location: parsed, auth };
}

function checkProtocols(protocols: readonly string[], most: number): void {
  const good = Array.isArray(protocols) && protocols.every((name) => typeof name === 'string' && isToken(name));
  if (good && new Set(protocols).size === protocols.length && protocols.length <= most) return;
  const what = most === 1 ? 'one name at the most, for this version' : 'an array of distinct names (tokens)';
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `the option protocols takes ${what}`);
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
