import type { ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { clearInterval, setInterval } from 'node:timers';
import { lingerTime } from '../connection/byteStreamEnds';
import { leastTimeout, sessionKeepalive } from './sessionKeepalive';

/** The HTTP/2 sessions that have carried WebSockets of one configuration of a server. */
export class ServerSessions {
  readonly #sockets = new Map<ServerHttp2Session, Duplex>();
  #closing = false;

  add(session: ServerHttp2Session): void {
    if (session.destroyed || this.#sockets.has(session)) return;
    // `session.socket` is a proxy that cannot destroy the socket; `once()` returns the socket itself.
    const socket = session.socket.once('close', () => this.#sockets.delete(session));
    this.#sockets.set(session, socket);
    if (this.#closing) closeSession(session, socket);
  }

  /**
   * Closes all sessions, and those that are added later. A session that stays open for further requests would keep the
   * server from closing.
   */
  closeAll(): void {
    this.#closing = true;
    for (const [session, socket] of this.#sockets) closeSession(session, socket);
  }
}

/**
 * Closes a session with GOAWAY (RFC 9113 §6.8) when its open requests have been answered, and then its connection. A
 * peer has one to two seconds to close its side. The keepalive detects a peer that is lost while requests are open.
 */
function closeSession(session: ServerHttp2Session, socket: Duplex): void {
  const keepalive = sessionKeepalive(session);
  const connection = { peerLost: ignore };
  if (!session.destroyed) keepalive.watch(connection, { interval: leastTimeout, timeout: leastTimeout });
  let wasDestroyed = false;
  const timer = setInterval(() => {
    if (wasDestroyed) socket.destroy();
    wasDestroyed = session.destroyed;
  }, lingerTime).unref();
  socket.once('close', () => {
    clearInterval(timer);
    keepalive.unwatch(connection);
  });
  session.close();
}

function ignore(): void {}
