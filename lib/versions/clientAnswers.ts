import type { IncomingMessage } from 'node:http';
import { hasToken } from '../codec/headers';
import { WebSocketError } from '../errors';

type Answer = Pick<IncomingMessage, 'headers'>;

/** Checks the headers of a server's answer that every version has: the protocol was changed to WebSocket. */
export function checkUpgradeAnswer({ headers }: Answer): void {
  if (headers.upgrade?.toLowerCase() !== 'websocket')
    throw refused(`the header Upgrade must be websocket, not ${headers.upgrade}`);
  if (!hasToken(headers.connection, 'upgrade'))
    throw refused(`the header Connection must have the token upgrade: ${headers.connection}`);
}

/** Checks a header in which the server must repeat a value of the client's request. */
export function checkRepeated({ headers }: Answer, name: string, expected: string | undefined): void {
  if (headers[name.toLowerCase()] !== expected) throw refused(`the header ${name} must be ${expected ?? 'left out'}`);
}

/** The error for a server's answer that the client cannot accept. */
export function refused(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail);
}
