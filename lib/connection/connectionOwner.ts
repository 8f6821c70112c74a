import type { Message, MessagePart } from '../contracts';
import type { WebSocketError } from '../errors';

/** What a connection reports to the WebSocket that stands on it. */
export interface ConnectionOwner {
  /** A message has come, or a part of one. False stops the reading until `readOn()`. */
  received(message: Message | MessagePart): boolean;
  receivedPing(payload: Buffer): void;
  receivedPong(payload: Buffer): void;
  /** The peer has closed cleanly: there will be no more messages. */
  peerClosed(): void;
  /** The program has not answered the peer's Close in time, so it has been answered for it. */
  answeredForProgram(): void;
  /**
   * The peer or the transport has failed, and nothing more will come. True if messages that came before are still being read, and
   * may be answered: the peer is then told when the owner leaves.
   */
  failed(fault: WebSocketError): boolean;
  /** A message that was taken cannot be sent after all. */
  writeFailed(error: WebSocketError): void;
  /** `offer()` takes messages again. */
  drained(): void;
  /** The byte stream is gone; messages that came before may still have to be received. */
  disconnected(): void;
  /** The byte stream is gone, and everything that came has been received or discarded. */
  closed(): void;
}
