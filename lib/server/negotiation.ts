import type { IncomingMessage } from 'node:http';
import { hasToken, isSameOrigin, parseExtensions, parseSubprotocols } from '../codec/headers';
import type { ExtensionElement, HttpRequest, ProtocolVersion, Version } from '../contracts';
import { WebSocketError } from '../errors';
import type { Origins, ServerOptions } from '../options';
import { claimedVersion, defaultVersions, findProtocolVersion } from '../versions';

/** An opening request that may be accepted. */
export interface Offer {
  readonly wire: ProtocolVersion;
  readonly version: Version;
  /** The subprotocols on offer. */
  readonly protocols: readonly string[];
  /** The extensions on offer. */
  readonly extensions: readonly ExtensionElement[];
}

/** What is asked of every opening request, whatever it came over. */
export interface OpeningRequest {
  readonly request: HttpRequest;
  /** The host, and perhaps the port, that the client believes to talk to. */
  readonly authority: string | undefined;
  /** The versions that can be spoken over this transport. */
  readonly versions: readonly Version[];
}

/**
 * Does the request ask to become a WebSocket, well or badly: by an upgrade (RFC 6455 §4.1), or by the extended CONNECT of HTTP/2
 * (RFC 8441 §5)?
 */
export function isWebSocketRequest({ headers }: Pick<HttpRequest, 'headers'>): boolean {
  const { upgrade, connection, ':method': method, ':protocol': protocol } = headers;
  if (method === 'CONNECT') return protocol === 'websocket';
  return hasToken(upgrade, 'websocket') && hasToken(connection, 'upgrade');
}

/**
 * What every transport asks of an opening request: version, origin, subprotocols, extensions (RFC 6455 §4.2.1).
 * @throws WebSocketError with the `statusCode` and `headers` of the answer
 */
export function negotiate(opening: OpeningRequest, { versions = defaultVersions, origins }: ServerOptions): Offer {
  const { request } = opening;
  const spoken = versions.filter((version) => opening.versions.includes(version));
  const { wire, version } = chooseVersion(request.headers, spoken);
  checkOrigin(opening, wire.originHeader(version), origins);
  const offered = request.headers[wire.protocolHeader.toLowerCase()] as string | undefined;
  const protocols = parseSubprotocols(offered);
  if (protocols === undefined) throw invalid(`${wire.protocolHeader} must be a list of distinct tokens`);
  // An offer of extensions that we do not take is declined by silence; one that nobody could read is an error.
  const extensions = wire.capabilities.extensions ? parseExtensions(request.headers['sec-websocket-extensions']) : [];
  if (extensions === undefined) throw invalid('Sec-WebSocket-Extensions is malformed');
  return { wire, version, protocols, extensions };
}

function chooseVersion(
  headers: IncomingMessage['headers'],
  versions: readonly Version[],
): { wire: ProtocolVersion; version: Version } {
  const asked = claimedVersion(headers);
  const found = asked === undefined ? undefined : findProtocolVersion(asked);
  if (found !== undefined && versions.includes(found.version)) return found;
  // §4.4: a client that gets the list can try again with another. Only numbers have a place in it.
  const listed = versions.filter((version) => /^\d+$/.test(version)).join(', ');
  const list = listed === '' ? {} : { 'Sec-WebSocket-Version': listed };
  const number = headers['sec-websocket-version'];
  // A decimal number up to 255 without leading zeros (§4.3); two headers arrive joined by a comma.
  if (number === undefined || !/^(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])$/.test(number)) {
    throw invalid(`Sec-WebSocket-Version is ${number === undefined ? 'missing' : 'malformed'}`, list);
  }
  // RFC 9110 §15.5.22: a 426 names the protocol to upgrade to.
  throw new WebSocketError('WS_ERR_UNSUPPORTED_VERSION', `${asked}; this server speaks ${versions.join(', ')}`, {
    statusCode: 426,
    headers: { ...list, Upgrade: 'websocket', Connection: 'Upgrade, close' },
  });
}

function checkOrigin(opening: OpeningRequest, header: string, origins: Origins | undefined): void {
  const origin = opening.request.headers[header] as string | undefined;
  if (isAllowedOrigin(opening, origin, origins)) return;
  const hint = "the option origins says which are: 'any', 'same', a list, or a function";
  throw new WebSocketError('WS_ERR_ORIGIN_REFUSED', `${origin ?? 'none'}; ${hint}`, { statusCode: 403 });
}

/** Only browsers are bound to tell their origin truly, and they always tell it: a request without one is no cross-site request. */
function isAllowedOrigin(
  { request, authority }: OpeningRequest,
  origin: string | undefined,
  origins: Origins | undefined,
): boolean {
  if (typeof origins === 'function') {
    const allowed: unknown = origins(origin, request);
    // A promise, say, is true whatever it comes to.
    if (typeof allowed === 'boolean') return allowed;
    const detail = 'the function origins must return true or false, at once';
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail, { statusCode: 500 });
  }
  if (origins === 'any' || origin === undefined) return true;
  if (origins === undefined || origins === 'same') {
    const harmless = origins === undefined && request.headers.cookie === undefined;
    return harmless || isSameOrigin(origin, authority);
  }
  return origins.includes(origin);
}

function invalid(detail: string, headers = {}): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 400, headers });
}
