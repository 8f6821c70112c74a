import type { TLSSocket } from 'node:tls';
import { describeValue } from '../codec/describeValue';
import { isHost, isSameOrigin, parseExtensions, parseSubprotocols } from '../codec/headers';
import type { HttpRequest, Offer, OpeningRequest, ProtocolVersion, Version } from '../contracts';
import { WebSocketError } from '../errors';
import type { Origins, UpgradeOptions } from '../options';
import { claimedVersion, defaultVersions, findProtocolVersion } from '../versions';

/**
 * Checks the parts of a request that are the same over every transport: host, version, origin, subprotocols and
 * extensions (RFC 6455 §4.2.1).
 * @throws WebSocketError with the `statusCode` and `headers` of the answer
 */
export function negotiate(opening: OpeningRequest, { versions = defaultVersions, origins }: UpgradeOptions): Offer {
  const { request, authority } = opening;
  // The host is compared with the origin, so every parser must read it as the same host (RFC 9112 §3.2).
  if (authority !== undefined && !isHost(authority))
    throw invalid(`Host must be a host name or an address, with or without a port, not ${authority}`);
  const { wire, version } = chooseVersion(opening, versions);
  checkOrigin(opening, wire.originHeader(version), origins);
  const offered = request.headers[wire.protocolHeader.toLowerCase()] as string | undefined;
  const protocols = parseSubprotocols(offered);
  if (protocols === undefined) throw invalid(`${wire.protocolHeader} must be a list of distinct tokens`);
  // An extension that is not supported is left out of the answer; a malformed offer is an error.
  const extensions = wire.capabilities.extensions ? parseExtensions(request.headers['sec-websocket-extensions']) : [];
  if (extensions === undefined) throw invalid('Sec-WebSocket-Extensions is malformed');
  return { wire, version, protocols, extensions };
}

/** @param accepted the versions that the server accepts; a transport may have fewer */
function chooseVersion(
  { request: { headers }, versions: possible }: OpeningRequest,
  accepted: readonly Version[],
): { wire: ProtocolVersion; version: Version } {
  const asked = claimedVersion(headers);
  const found = asked === undefined ? undefined : findProtocolVersion(asked);
  if (found !== undefined && accepted.includes(found.version) && possible.includes(found.version)) return found;
  const versions = accepted.filter((version) => possible.includes(version));
  // The client can try again with a version of this list, which contains only numbers (RFC 6455 §4.4).
  const listed = versions.filter((version) => /^\d+$/.test(version)).join(', ');
  const list = listed === '' ? {} : { 'Sec-WebSocket-Version': listed };
  const number = headers['sec-websocket-version'];
  // A decimal number up to 255 without leading zeros (RFC 6455 §4.3); Node joins two headers with a comma.
  if (number === undefined || !/^(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])$/.test(number)) {
    throw invalid(`Sec-WebSocket-Version is ${number === undefined ? 'missing' : 'malformed'}`, list);
  }
  // A 426 must name the protocol to upgrade to (RFC 9110 §15.5.22).
  throw new WebSocketError('WS_ERR_UNSUPPORTED_VERSION', `${asked}; this server speaks ${versions.join(', ')}`, {
    statusCode: 426,
    headers: { ...list, Upgrade: 'websocket', Connection: 'Upgrade, close' },
  });
}

function checkOrigin(opening: OpeningRequest, header: string, origins: Origins | undefined): void {
  const { request, authority } = opening;
  const origin = request.headers[header] as string | undefined;
  if (typeof origins === 'function') {
    if (callOrigins(origins, origin, request)) return;
    throw originRefused(`the function origins refuses ${describeOrigin(origin)}`);
  }
  // Browsers always send the true origin. Other clients may send any or none, so a request without one is not a
  // cross-site request.
  if (origins === 'any' || origin === undefined) return;
  if (Array.isArray(origins)) {
    if (origins.includes(origin)) return;
    throw originRefused(`${describeOrigin(origin)} is not on the list of the option origins`);
  }
  if (isSameOrigin(origin, authority)) return;
  const credentials = findCredentials(request);
  if (origins === undefined && credentials === undefined) return;
  const why = origins === undefined ? `, and the request carries ${credentials}` : '';
  throw originRefused(
    `${describeOrigin(origin)} does not name the host of the request, ${authority ?? 'none'} (Host)${why}. ` +
      'If this origin may connect, name it in the option origins. If a proxy has changed Host, let it pass the one of the client on',
  );
}

function callOrigins(
  origins: Extract<Origins, (...parameters: never[]) => boolean>,
  origin: string | undefined,
  request: HttpRequest,
): boolean {
  const allowed: unknown = origins(origin, request);
  if (typeof allowed === 'boolean') return allowed;
  // A promise must be refused, because it is truthy whatever it resolves to.
  const detail = `option origins must be a function that returns true or false, not ${describeValue(allowed)}`;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail, { statusCode: 500 });
}

/**
 * Returns the credentials that a browser adds by itself to a request of another site, which would let that site act as
 * the user.
 */
function findCredentials({ headers, socket }: HttpRequest): string | undefined {
  if (headers.cookie !== undefined) return 'cookies';
  if (headers.authorization !== undefined) return 'an Authorization header';
  return hasClientCertificate(socket as Partial<TLSSocket> | undefined) ? 'a TLS client certificate' : undefined;
}

function hasClientCertificate(socket: Partial<TLSSocket> | undefined): boolean {
  // If there is no certificate, Node returns an empty object or null.
  return Object.keys(socket?.getPeerCertificate?.() ?? {}).length > 0;
}

function describeOrigin(origin: string | undefined): string {
  return origin === undefined ? 'a request without an origin' : `the origin ${origin} (Origin)`;
}

function originRefused(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_ORIGIN_REFUSED', detail, { statusCode: 403 });
}

function invalid(detail: string, headers = {}): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 400, headers });
}
