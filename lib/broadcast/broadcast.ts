import { type BinaryData, PreparedMessage } from '../framing/outgoingMessage';
import { checkOptions } from '../options';
import { protocolVersion } from '../versions';
import type { AnyWebSocket } from '../websocket/webSocket';

/** A message for many connections: text, bytes, or a message that was prepared before. */
export type BroadcastMessage = string | BinaryData | PreparedMessage;

/** Returns true for each connection that is to get a message. */
export type BroadcastFilter = (webSocket: AnyWebSocket) => boolean;

/**
 * Writes a message to every WebSocket that is open and whose version can carry it, and returns their number.
 * @param filter undefined: all of them
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_INVALID_UTF8
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

/**
 * Returns a message that is encoded once for all its receivers.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function prepare(message: BroadcastMessage): PreparedMessage {
  return message instanceof PreparedMessage ? message : new PreparedMessage(message);
}

/** Whether the program has not ended its side, and no Close of the peer was received. */
export function isOpen(webSocket: AnyWebSocket): boolean {
  return webSocket.writable && webSocket.closeCode === undefined;
}

/** Whether the version of the connection can carry the message: the drafts of 2010 have no binary messages. */
export function carries(webSocket: AnyWebSocket, { message }: PreparedMessage): boolean {
  return message.opcode === 'text' || protocolVersion(webSocket.version).capabilities.binary;
}
