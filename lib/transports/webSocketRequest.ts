import { hasToken } from '../codec/headers';
import type { HttpRequest } from '../contracts';

/**
 * Returns whether the request asks for a WebSocket, even if the request is invalid: with an upgrade (RFC 6455 §4.1), or
 * with the extended CONNECT of HTTP/2 (RFC 8441 §5).
 */
export function isWebSocketRequest({ headers }: Pick<HttpRequest, 'headers'>): boolean {
  const { upgrade, connection, ':method': method, ':protocol': protocol } = headers;
  if (method === 'CONNECT') return protocol === 'websocket';
  return hasToken(upgrade, 'websocket') && hasToken(connection, 'upgrade');
}
