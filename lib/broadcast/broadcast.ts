import { type BinaryData, PreparedMessage } from '../framing/outgoingMessage';
import { checkOptions } from '../options';
import { protocolVersion } from '../versions';
import type { AnyWebSocket } from '../websocket/webSocket';

/** What can be sent to many connections at once. */
export type BroadcastMessage = string | BinaryData | PreparedMessage;

/** Which connections a message is for: those of which it says true. */
export type BroadcastFilter = (webSocket: AnyWebSocket) => boolean;

/**
 * Writes a message to every WebSocket that is open and can carry it, and returns to how many.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function broadcast(
  webSockets: Iterable<AnyWebSocket>,
  message: BroadcastMessage,
  filter: BroadcastFilter | undefined,
): number {
  checkOptions({ filter }, 'filter');
  const prepared = prepare(message);
  let count = 0;
  for (const webSocket of webSockets) {
    if (!isOpen(webSocket) || !carries(webSocket, prepared)) continue;
    if (filter !== undefined && filter(webSocket) !== true) continue;
    webSocket.write(prepared);
    count++;
  }
  return count;
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function prepare(message: BroadcastMessage): PreparedMessage {
  return message instanceof PreparedMessage ? message : new PreparedMessage(message);
}

/** Whether neither side has said goodbye. */
export function isOpen(webSocket: AnyWebSocket): boolean {
  return webSocket.writable && webSocket.closeCode === undefined;
}

/** Whether the version of the connection has a form for the message. */
export function carries(webSocket: AnyWebSocket, { message }: PreparedMessage): boolean {
  return message.opcode === 'text' || protocolVersion(webSocket.version).capabilities.binary;
}
