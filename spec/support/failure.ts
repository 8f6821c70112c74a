import { once } from 'node:events';
import { expect } from 'chai';
import type { WebSocket, WebSocketError } from '../../lib/webSocketHandler';

/** What became of a WebSocket that could not be opened. */
export async function failureOf(ws: WebSocket): Promise<WebSocketError> {
  const [error] = (await once(ws, 'error').catch((cause) => [cause])) as [WebSocketError];
  expect(await ws.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
  return error;
}
