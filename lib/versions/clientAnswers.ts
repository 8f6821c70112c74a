import type { IncomingMessage } from 'node:http';
import { hasToken } from '../codec/headers';
import { WebSocketError } from '../errors';

type Answer = Pick<IncomingMessage, 'headers'>;

/** What every version asks of a server's answer: that it has changed the protocol, and to this one. */
export function checkUpgradeAnswer({ headers }: Answer): void {
  if (headers.upgrade?.toLowerCase() !== 'websocket') throw refused('Upgrade is not websocket');
  if (!hasToken(headers.connection, 'upgrade')) throw refused('Connection has no token upgrade');
}

/** A header that must repeat what the client has said. */
export function checkRepeated({ headers }: Answer, name: string, expected: string | undefined): void {
  if (headers[name.toLowerCase()] !== expected) throw refused(`${name} must be ${expected ?? 'left out'}`);
}

export function refused(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail);
}
