import type { Http2Session } from 'node:http2';
import { setImmediate } from 'node:timers';
import { type Keepalive, type KeepaliveSubject, startKeepalive } from '../connection/keepalive';
import type { SessionKeepalive, WatchedConnection } from '../contracts';
import type { HeartbeatSettings } from '../options';

/**
 * Milliseconds that the answer to a PING has at the least, whatever the connections ask for: while Node writes to the socket of a session
 * it does not read from it, and on a slow network a write takes long.
 */
export const leastTimeout = 10_000;

/**
 * Sends HTTP/2's own PING on a silent session. The answer has priority over all other frames (RFC 9113 §6.7) and needs no flow-control
 * window. So it also finds dead peers for which the keepalive of a connection must wait, because bytes of ours wait for a window: for
 * example sessions that Node 20 has abandoned after a violation of HTTP/2, without reading the socket any more.
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

  /** Uses the settings with the shortest time to detection of all connections so far. */
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

  hasHeard(): boolean {
    const heard = this.#answered;
    this.#answered = false;
    const before = this.#bytesRead;
    this.#bytesRead = this.#session.socket?.bytesRead ?? before;
    return heard || this.#bytesRead !== before;
  }

  /** An endpoint reads its sessions whatever its streams do. */
  readonly isReadingPaused = false;

  /** False while the session lives: an endpoint that leaves its connection unread breaks the protocol (RFC 9113 §5.2.2). */
  get isSilenceExcused(): boolean {
    return this.#session.destroyed;
  }

  /** Never needed, since a session is always read. */
  sendSignOfLife(): void {}

  sendPing(): void {
    // On a closed session, whose last requests are being answered, Node sends no PING. SETTINGS must be acknowledged too (RFC 9113 §6.5.3).
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
    // Without an error, which ordinary streams on the session might have no listener for; and after the connections have reset
    // their streams.
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
