import type { Http2Session } from 'node:http2';
import { setImmediate } from 'node:timers';
import { type Keepalive, type KeepaliveSubject, startKeepalive } from '../connection/keepalive';
import type { SessionKeepalive, WatchedConnection } from '../contracts';
import type { HeartbeatSettings } from '../options';

/**
 * The shortest timeout for the answer to a PING, in milliseconds, even if the connections ask for less: while Node
 * writes to the socket of a session, it does not read from it, and on a slow network a write takes long.
 */
export const leastTimeout = 10_000;

/**
 * Sends HTTP/2's own PING on a silent session. The answer has priority over all other frames (RFC 9113 §6.7) and needs
 * no flow-control window. So it also detects lost peers while our bytes wait for a window, in which time the keepalive
 * of a connection does not count. An example are sessions whose socket Node 20 no longer reads after a violation of
 * HTTP/2.
 */
class Http2SessionKeepalive implements SessionKeepalive, KeepaliveSubject {
  readonly #session: Http2Session;
  readonly #connections = new Set<WatchedConnection>();
  #keepalive: Keepalive | undefined;
  #settings: HeartbeatSettings | undefined;
  #answered = false;
  #bytesRead = 0;

  constructor(session: Http2Session) {
    this.#session = session;
  }

  /**
   * Adds a connection. The session uses the settings of the connection with the shortest interval and timeout together,
   * of all connections so far.
   */
  watch(connection: WatchedConnection, settings: HeartbeatSettings): void {
    this.#connections.add(connection);
    const current = this.#settings;
    if (current !== undefined && current.interval + current.timeout <= settings.interval + settings.timeout) return;
    this.#keepalive?.stop();
    this.#settings = settings;
    this.#keepalive = startKeepalive(this, { ...settings, timeout: Math.max(settings.timeout, leastTimeout) });
  }

  unwatch(connection: WatchedConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#stop();
  }

  #stop(): void {
    this.#keepalive?.stop();
    this.#keepalive = undefined;
    this.#settings = undefined;
  }

  hasReceived(): boolean {
    const answered = this.#answered;
    this.#answered = false;
    const before = this.#bytesRead;
    this.#bytesRead = this.#session.socket?.bytesRead ?? before;
    return answered || this.#bytesRead !== before;
  }

  /** A session is always read, also if its streams are paused. */
  readonly isReadingPaused = false;

  /**
   * False while the session is open: an endpoint that does not read its connection breaks the protocol
   * (RFC 9113 §5.2.2).
   */
  get mayBeSilent(): boolean {
    return this.#session.destroyed;
  }

  /** Never called, because a session is always read. */
  sendUnsolicitedPong(): void {}

  sendPing(): void {
    // On a closed session, whose last requests are being answered, Node sends no PING. SETTINGS must be acknowledged
    // too (RFC 9113 §6.5.3).
    if (this.#session.closed) return this.#session.settings({});
    this.#session.ping((error) => {
      this.#answered ||= error === null;
    });
  }

  peerLost(): void {
    const connections = [...this.#connections];
    this.#connections.clear();
    this.#stop();
    for (const connection of connections) connection.peerLost();
    // setImmediate(), so that the connections have reset their streams before. No error is passed, because ordinary
    // streams on the session might have no 'error' listener.
    setImmediate(() => this.#session.destroy());
  }
}

const keepalives = new WeakMap<Http2Session, SessionKeepalive>();

/** Returns the keepalive that all WebSockets on a session share. */
export function sessionKeepalive(session: Http2Session): SessionKeepalive {
  const known = keepalives.get(session);
  if (known !== undefined) return known;
  const keepalive = new Http2SessionKeepalive(session);
  keepalives.set(session, keepalive);
  return keepalive;
}
