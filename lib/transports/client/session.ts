import type { ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';

/**
 * A request that needs an HTTP/2 session. One of the methods is called, once, and not before the session was asked for.
 */
export interface SessionUser {
  /** The session can be used, and its server accepts extended CONNECTs. */
  ready(session: ClientHttp2Session): void;
  /**
   * The server does not speak HTTP/2, or has no WebSockets over it.
   * @param connection a connection to the server on which HTTP/1.1 can be used
   */
  unavailable(connection: Duplex | undefined): void;
  failed(cause: Error): void;
}

/** The use of a session by one request. */
export interface SessionUse {
  /** The request was answered. */
  answered(): void;
  /**
   * The server has refused the request without processing it. Returns whether to send it again, which uses another
   * session.
   */
  refused(): boolean;
  /** The request does not need the session any more. */
  release(): void;
}

/** Returns whether the server accepts extended CONNECTs, according to its settings (RFC 8441 §3). */
export function takesExtendedConnect(session: ClientHttp2Session): boolean {
  return session.remoteSettings.enableConnectProtocol === true;
}
