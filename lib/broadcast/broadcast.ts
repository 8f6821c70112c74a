import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import { type BinaryData, PreparedMessage } from '../framing/outgoingMessage';
import { checkOptions } from '../options';
import { protocolVersion } from '../versions';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';

/** A message for many connections: text, bytes, or a message that was prepared before. */
export type BroadcastMessage = string | BinaryData | PreparedMessage;

/** Returns true for each WebSocket that the message is sent to. */
export type BroadcastFilter = (webSocket: AnyWebSocket) => boolean;

/**
 * Writes a message to every WebSocket that is open and whose version can carry it, and returns their number.
 * @param filter undefined for all WebSockets
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
 * Returns the message as a PreparedMessage, which is encoded once for all receivers.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function prepare(message: BroadcastMessage): PreparedMessage {
  return message instanceof PreparedMessage ? message : new PreparedMessage(message);
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT if the value is no WebSocket */
export function checkMember(webSocket: unknown): void {
  if (webSocket instanceof WebSocket) return;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `a member must be a WebSocket, not ${describeValue(webSocket)}`);
}

/** Returns whether the program has not ended the writable side, and the peer's Close frame was not received. */
export function isOpen(webSocket: AnyWebSocket): boolean {
  return webSocket.writable && webSocket.closeCode === undefined;
}

/** Returns whether the version of the connection can send the message: the drafts of 2010 have no binary messages. */
export function carries(webSocket: AnyWebSocket, { message }: PreparedMessage): boolean {
  return message.opcode === 'text' || protocolVersion(webSocket.version).capabilities.binary;
}
