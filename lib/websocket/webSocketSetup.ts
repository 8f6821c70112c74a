import type { Opening, Role, Version } from '../contracts';
import type { ConnectionOptions } from '../options';

/** What a WebSocket is made from: with an opening, it waits for `connect()`. */
export interface WebSocketSetup {
  readonly role: Role;
  readonly opening?: Opening;
  readonly options?: ConnectionOptions;
  /** A client's version, and the subprotocols that it offers. */
  readonly version?: Version;
  readonly protocols?: readonly string[];
  /** Gives up a client's handshake. */
  readonly giveUp?: () => void;
}
