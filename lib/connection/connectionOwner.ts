import type { WebSocketError } from '../errors';
import type { HeartbeatSettings } from '../options';
import type { Delivered } from '../websocket/incomingMessages';
import type { PipelineOptions } from './pipelineOwner';

/** What a connection tells the stream that stands on it. */
export interface ConnectionOwner {
  /** A message has come. False stops the reading until `resumeReading()`. */
  message(message: Delivered): boolean;
  ping(payload: Buffer): void;
  pong(payload: Buffer): void;
  /** The peer has closed cleanly: there will be no more messages. */
  ended(): void;
  /** The program has not answered the peer's Close in time, so it has been answered for it. */
  overdue(): void;
  /**
   * The peer, or the way to it, has failed, and nothing more will come. True if what came before is still being read, and may
   * be answered: the peer is then told of its failure when the owner leaves.
   */
  failed(fault: WebSocketError): boolean;
  /** `offer()` takes items again. */
  drained(): void;
  /** The transport is gone. */
  closed(): void;
}

export interface ConnectionSettings extends PipelineOptions {
  /** Without it, a silent peer stays. */
  readonly heartbeat?: HeartbeatSettings | undefined;
}
