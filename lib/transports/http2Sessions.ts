import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { globalAgent, type RequestOptions } from 'node:https';
import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls';
import type { ClientTarget } from '../client/redirects';
import { lingerTime } from '../connection/byteStreamEnds';

/** Whoever wants a session. It is told once, and not while it asks. */
export interface SessionTenant {
  /** There is one, and its server takes extended CONNECTs. */
  ready(session: ClientHttp2Session): void;
  /**
   * The server does not speak HTTP/2, or has no WebSockets over it.
   * @param connection to the server, over which HTTP/1.1 can be spoken
   */
  unavailable(connection: Duplex | undefined): void;
  failed(cause: Error): void;
}

export interface SessionLease {
  /** A request on the session has been answered. */
  answered(): void;
  /** A request has been refused unseen. Returns whether it is worth another try, which will be on another session. */
  refused(): boolean;
  /** The session is not needed any more. */
  release(): void;
}

/** @param given the program's own session, or true for one that is shared with all that go to the same server in the same way */
export function leaseSession(
  target: ClientTarget,
  given: ClientHttp2Session | true,
  tenant: SessionTenant,
): SessionLease {
  if (given === true) return new SharedLease(target, tenant);
  const session = givenSessions.get(given) ?? new GivenSession(given);
  givenSessions.set(given, session);
  return session.lease(tenant);
}

/** The settings of a server are known, and say that it takes extended CONNECTs (RFC 8441 §3). */
function isWilling(session: ClientHttp2Session): boolean {
  return session.remoteSettings.enableConnectProtocol === true;
}

/** A session that belongs to the program, which will also close it. */
class GivenSession {
  readonly #session: ClientHttp2Session;
  readonly #waiting = new Set<SessionTenant>();

  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  lease(tenant: SessionTenant): SessionLease {
    const session = this.#session;
    if (this.#waiting.size === 0) {
      session.once('close', this.#settle);
      if (session.closed || session.destroyed || hasSettings(session)) process.nextTick(this.#settle);
      else session.once('remoteSettings', this.#settle);
    }
    this.#waiting.add(tenant);
    return { answered() {}, refused: () => false, release: () => void this.#waiting.delete(tenant) };
  }

  readonly #settle = () => {
    const session = this.#session;
    session.removeListener('close', this.#settle);
    session.removeListener('remoteSettings', this.#settle);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const tenant of waiting) {
      if (session.closed || session.destroyed) tenant.failed(new Error('the session is closed'));
      else if (isWilling(session)) tenant.ready(session);
      else tenant.unavailable(undefined);
    }
  };
}

const givenSessions = new WeakMap<ClientHttp2Session, GivenSession>();

/** Before they have come there are none. */
function hasSettings({ remoteSettings }: ClientHttp2Session): boolean {
  return Object.keys(remoteSettings).length > 0;
}

/** The sessions that are shared, by what they have in common. */
const sessions = new Map<string, Set<SharedSession>>();

/** A place on a session that others use as well. */
class SharedLease implements SessionLease {
  readonly #target: ClientTarget;
  readonly #tenant: SessionTenant;
  #session: SharedSession | undefined;

  constructor(target: ClientTarget, tenant: SessionTenant) {
    this.#target = target;
    this.#tenant = tenant;
    this.join();
  }

  answered(): void {
    if (this.#session !== undefined) this.#session.hasServed = true;
  }

  refused(): boolean {
    this.#session?.retire();
    return this.#session?.hasServed === true;
  }

  get tenant(): SessionTenant {
    return this.#tenant;
  }

  /** Takes a place where there is room. */
  join(): void {
    this.#session = sessionWithRoom(this.#target);
    this.#session.add(this);
  }

  release(): void {
    this.#session?.remove(this);
    this.#session = undefined;
  }
}

function sessionWithRoom(target: ClientTarget): SharedSession {
  const key = keyOf(target);
  if (key === undefined) return new SharedSession(target);
  const siblings = sessions.get(key) ?? new Set();
  for (const session of siblings) if (session.hasRoom) return session;
  sessions.set(key, siblings);
  const session = new SharedSession(target, () => {
    siblings.delete(session);
    if (siblings.size === 0) sessions.delete(key);
  });
  siblings.add(session);
  return session;
}

/** What is the same for all that may share a session; undefined where functions make that impossible to know. */
function keyOf({ location, requestOptions }: ClientTarget): string | undefined {
  const { createConnection, checkServerIdentity, lookup, secureContext } = requestOptions as RequestOptions &
    ConnectionOptions;
  if (createConnection ?? checkServerIdentity ?? lookup ?? secureContext) return undefined;
  // The agent knows which of the many options of TLS make a difference.
  return `${location.origin} ${globalAgent.getName({ ...requestOptions, ...addressOf(location) })}`;
}

function addressOf(location: URL): { host: string; port: number } {
  // Brackets of an IPv6 address are for URLs only.
  const host = location.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(location.port) || (location.protocol === 'wss:' ? 443 : 80) };
}

/** A session of ours: it is closed when nobody uses it any more. */
class SharedSession {
  hasServed = false;
  readonly #users = new Set<SharedLease>();
  /** Those among them who do not know yet whether there is a session. */
  readonly #waiting = new Set<SharedLease>();
  /** Absent until a `createConnection` that calls back has done so. */
  #socket: Duplex | undefined;
  readonly #secure: boolean;
  readonly #url: string;
  readonly #retired: (() => void) | undefined;
  #session: ClientHttp2Session | undefined;
  #open = false;
  #over = false;

  /** @param retired called when it takes no more users */
  constructor({ location, requestOptions }: ClientTarget, retired?: () => void) {
    this.#retired = retired;
    this.#secure = location.protocol === 'wss:';
    this.#url = location.origin.replace(/^ws/, 'http');
    const connectOptions = (this.#secure ? tlsOptions : tcpOptions)(addressOf(location), requestOptions);
    const { createConnection } = requestOptions;
    if (createConnection === undefined)
      this.#connecting(this.#secure ? connectTls(connectOptions) : connectTcp(connectOptions as NetConnectOpts));
    else this.#createConnection(createConnection, connectOptions);
  }

  /** Lets the program make the connection. As in `http.request()`, it may return it or call back with it. */
  #createConnection(create: NonNullable<RequestOptions['createConnection']>, options: ConnectionOptions): void {
    let isMade = false;
    const made = (error: Error | null | undefined, socket?: Duplex | null) => {
      if (isMade || (!error && !socket)) return;
      isMade = true;
      // Not while the caller still makes this session.
      if (error) process.nextTick(this.#failed, error);
      else this.#connecting(socket as Duplex);
    };
    made(null, create(options as RequestOptions, made));
  }

  #connecting(socket: Duplex): void {
    this.#socket = socket;
    if (this.#over) {
      // Everybody who wanted it has gone while the program made it.
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    socket.once('error', this.#failed);
    const connected = () => this.#connected(socket);
    if (socket instanceof TLSSocket ? socket.alpnProtocol === null : (socket as Partial<Socket>).connecting === true)
      socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', connected);
    else process.nextTick(connected);
  }

  get hasRoom(): boolean {
    if (this.#over) return false;
    const { remoteSettings } = this.#session ?? {};
    return !this.#open || this.#users.size < (remoteSettings?.maxConcurrentStreams ?? Number.POSITIVE_INFINITY);
  }

  add(lease: SharedLease): void {
    this.#users.add(lease);
    this.#waiting.add(lease);
    if (this.#open) process.nextTick(() => this.#admit(lease));
  }

  remove(lease: SharedLease): void {
    this.#waiting.delete(lease);
    if (!this.#users.delete(lease) || this.#users.size > 0) return;
    this.retire();
    this.#close();
  }

  /** It takes no more users. */
  retire(): void {
    if (this.#over) return;
    this.#over = true;
    this.#retired?.();
  }

  #connected(socket: Duplex): void {
    if (this.#over) return;
    // From here on it is for the session to say what went wrong; without one, for whoever takes the connection over.
    socket.removeListener('error', this.#failed);
    socket.on('error', ignore);
    // What is spoken over TLS has been agreed on in its handshake (RFC 9113 §3.2).
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') return this.#unavailable(socket);
    // What a server might push, nobody would read or end (RFC 9113 §8.4).
    const settings = { enablePush: false };
    const session = connectHttp2(this.#url, { settings, createConnection: () => socket });
    this.#session = session;
    session.on('error', (error) => this.#broken(error));
    session.once('close', () => this.#broken(new Error('the session was closed')));
    session.once('goaway', () => this.retire());
    session.once('remoteSettings', () => this.#settled(session));
  }

  /** A server for HTTP/1.1 cannot make sense of the first bytes of HTTP/2, which it gets where there is no TLS (RFC 9113 §3.3). */
  #broken(error: Error): void {
    if (this.#secure || this.#open) this.#failed(error);
    else this.#unavailable(undefined);
  }

  #settled(session: ClientHttp2Session): void {
    // A session without room for anybody is no use, nor would another one be.
    if (!isWilling(session) || session.remoteSettings.maxConcurrentStreams === 0) return this.#unavailable(undefined);
    this.#open = true;
    for (const lease of this.#waiting) this.#admit(lease);
  }

  #admit(lease: SharedLease): void {
    if (!this.#waiting.delete(lease)) return;
    const session = this.#session as ClientHttp2Session;
    const admitted = this.#users.size - this.#waiting.size;
    if (!this.#over && admitted <= (session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY)) {
      return lease.tenant.ready(session);
    }
    // No room for all those who have waited for its settings.
    this.remove(lease);
    lease.join();
  }

  readonly #failed = (cause: Error) => {
    this.retire();
    for (const { tenant } of this.#dismissed()) tenant.failed(cause);
  };

  /** @param connection for the first of those who wait */
  #unavailable(connection: Duplex | undefined): void {
    this.retire();
    let left = connection;
    for (const { tenant } of this.#dismissed()) {
      tenant.unavailable(left);
      left = undefined;
    }
    if (this.#session !== undefined) this.#close();
  }

  #close(): void {
    const socket = this.#socket;
    if (this.#session === undefined) return void socket?.destroy();
    this.#session.close();
    // A server that does not end its side must not keep the process alive.
    const timer = setTimeout(() => socket?.destroy(), lingerTime).unref();
    socket?.once('close', () => clearTimeout(timer));
  }

  #dismissed(): SharedLease[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const lease of waiting) this.#users.delete(lease);
    return waiting;
  }
}

function tcpOptions(address: { host: string; port: number }, options: RequestOptions): ConnectionOptions {
  return { ...options, ...address, path: options.socketPath } as ConnectionOptions;
}

function tlsOptions(address: { host: string; port: number }, options: RequestOptions): ConnectionOptions {
  const servername = isIP(address.host) === 0 ? address.host : '';
  return { servername, ...tcpOptions(address, options), ALPNProtocols: ['h2', 'http/1.1'] };
}

function ignore(): void {}
