import type { Outgoing } from '../contracts';
import type { WebSocketError } from '../errors';
import type { ConnectionSettings } from '../options';

/** Called once with the fate of a message: without an error when its bytes have left to the operating system. */
export type WriteCallback = (error?: Error | null) => void;

/** What the queue sends through: a connection. */
export interface Outlet {
  /** Whether `offer()` takes nothing for now. */
  readonly isFull: boolean;
  /** Bytes that were taken and have not reached the operating system. */
  readonly bufferedAmount: number;
  /** Takes a message, or returns false. */
  offer(item: Outgoing, callback?: WriteCallback): boolean;
}

/** The WebSocket, as far as its write queue needs it. */
export interface WriteQueueOwner {
  readonly settings: ConnectionSettings;
  /** `write()` may be called again after it has returned false. */
  writersMayGoOn(): void;
  /** The outlet has taken a message. */
  messageSent(message: Outgoing): void;
  /** A message cannot be sent, and the stream must end with this error. */
  writeFailed(error: WebSocketError): void;
  /** A message from a source, which may have come from a peer, cannot be sent, and the stream must end with this error. */
  sourceFailed(error: WebSocketError): void;
}
