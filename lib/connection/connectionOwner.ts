import type { Message, MessagePart } from '../contracts';
import type { WebSocketError } from '../errors';
import type { ConnectionSettings } from '../options';

/** The owner of a Connection: the core of a WebSocket. */
export interface ConnectionOwner {
  readonly settings: ConnectionSettings;
  /**
   * Receives a message or a part of one. If it returns false, no further item is decoded until `readOn()` is called.
   */
  received(message: Message | MessagePart): boolean;
  receivedPing(payload: Buffer): void;
  receivedPong(payload: Buffer): void;
  /** Called when a clean Close frame was received: no more messages follow. */
  peerClosed(): void;
  /**
   * Called when the program has not answered the peer's Close frame in time.
   * @param isAnswered whether the connection has sent the answer. False if the byte stream accepts no more bytes
   */
  answerOverdue(isAnswered: boolean): void;
  /**
   * Called when the peer or the transport has failed: no more messages are received.
   * @returns true if messages received before are still being read and may be answered. The Close frame is then sent
   * when the owner calls `leave()`, or after closeTimeout
   */
  failed(fault: WebSocketError): boolean;
  /** Called when a message that `offer()` has accepted cannot be encoded. */
  writeFailed(error: WebSocketError): void;
  /** Called when `offer()` accepts messages again after it has returned false. */
  drained(): void;
  /** Called when the byte stream has closed. Messages received earlier may still have to be delivered. */
  disconnected(): void;
  /** Called when the byte stream has closed, and all received bytes have been delivered or discarded. */
  closed(): void;
}
