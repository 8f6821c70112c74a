import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { ClientTarget } from './clientAttempt';
import { type SessionUser, takesExtendedConnect } from './session';
import { SessionSocket, type SessionSocketOwner } from './sessionSocket';

/** A request that uses a shared session. */
export interface SharedSessionUser extends SessionUser {
  /** The session cannot carry another request, so this request needs another session. */
  noRoom(): void;
}

/** A session that the library makes. It is closed when no request uses it any more. */
export class SharedSession implements SessionSocketOwner {
  /** Whether a request on the session was answered. */
  hasServed = false;
  readonly #users = new Set<SharedSessionUser>();
  /** The users that wait for the settings of the server. */
  readonly #waiting = new Set<SharedSessionUser>();
  readonly #secure: boolean;
  readonly #url: string;
  readonly #notShared: (() => void) | undefined;
  readonly #socket: SessionSocket;
  #session: ClientHttp2Session | undefined;
  /** Whether the settings of the server were received, and allow extended CONNECTs. */
  #open = false;
  #takesUsers = true;

  /** @param notShared called when the session accepts no more users */
  constructor(target: ClientTarget, notShared?: () => void) {
    this.#notShared = notShared;
    this.#secure = target.location.protocol === 'wss:';
    this.#url = target.location.origin.replace(/^ws/, 'http');
    this.#socket = new SessionSocket(target, this);
  }

  /** Whether the session accepts another user. */
  get hasRoom(): boolean {
    return this.#takesUsers && (!this.#open || this.#users.size < this.#limit);
  }

  add(user: SharedSessionUser): void {
    this.#users.add(user);
    this.#waiting.add(user);
    if (this.#open) process.nextTick(() => this.#admit(user));
  }

  remove(user: SharedSessionUser): void {
    this.#waiting.delete(user);
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    this.stopSharing();
    this.#close();
  }

  /** Lets the session accept no more users. */
  stopSharing(): void {
    if (!this.#takesUsers) return;
    this.#takesUsers = false;
    this.#notShared?.();
  }

  connected(socket: Duplex): void {
    // Over TLS the handshake has negotiated the protocol (RFC 9113 §3.2).
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') return this.#unavailable(socket);
    // Pushed streams are disabled, because nothing would read or end them (RFC 9113 §8.4).
    const settings = { enablePush: false };
    const session = connectHttp2(this.#url, { settings, createConnection: () => socket });
    this.#session = session;
    session.on('error', (error) => this.#broken(error));
    session.once('close', () => this.#broken(new Error('the session was closed')));
    session.once('goaway', () => this.stopSharing());
    session.once('remoteSettings', () => this.#settled(session));
  }

  failed(cause: Error): void {
    this.stopSharing();
    for (const user of this.#removeWaiting()) user.failed(cause);
  }

  /** The number of requests that the server allows at the same time. */
  get #limit(): number {
    return this.#session?.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Called when the session fails. Without TLS, the server may be one of HTTP/1.1, which cannot parse the first bytes
   * of HTTP/2 (RFC 9113 §3.3).
   */
  #broken(error: Error): void {
    if (this.#secure || this.#open) this.failed(error);
    else this.#unavailable(undefined);
  }

  #settled(session: ClientHttp2Session): void {
    // If the server allows no requests on this session, it would allow none on another one.
    if (!takesExtendedConnect(session) || this.#limit === 0) return this.#unavailable(undefined);
    this.#open = true;
    for (const user of this.#waiting) this.#admit(user);
  }

  #admit(user: SharedSessionUser): void {
    if (!this.#waiting.delete(user)) return;
    const admitted = this.#users.size - this.#waiting.size;
    if (this.#takesUsers && admitted <= this.#limit) return user.ready(this.#session as ClientHttp2Session);
    // More users waited for the settings than the settings allow.
    this.remove(user);
    user.noRoom();
  }

  /** @param connection a connection for HTTP/1.1, which is given to the first of the waiting users */
  #unavailable(connection: Duplex | undefined): void {
    this.stopSharing();
    let unused = connection;
    for (const user of this.#removeWaiting()) {
      user.unavailable(unused);
      unused = undefined;
    }
    if (this.#session !== undefined) this.#close();
  }

  #close(): void {
    if (this.#session === undefined) return this.#socket.destroy();
    this.#session.close();
    this.#socket.destroyLater();
  }

  #removeWaiting(): SharedSessionUser[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const user of waiting) this.#users.delete(user);
    return waiting;
  }
}
