import type { ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { isBytes } from '../../codec/bytes';
import type { ClientTarget } from './clientAttempt';
import type { SessionUse, SessionUser } from './session';
import { SharedSession, type SharedSessionUser } from './sharedSession';

/** The shared sessions, by server and connection options. */
const sessions = new Map<string, Set<SharedSession>>();

/** Uses a session that is shared by all requests to the same server with the same connection options. */
export function useSharedSession(target: ClientTarget, user: SessionUser): SessionUse {
  return new SharedSessionUse(target, user);
}

class SharedSessionUse implements SessionUse, SharedSessionUser {
  readonly #target: ClientTarget;
  readonly #user: SessionUser;
  #session: SharedSession | undefined;

  constructor(target: ClientTarget, user: SessionUser) {
    this.#target = target;
    this.#user = user;
    this.#chooseSession();
  }

  answered(): void {
    if (this.#session !== undefined) this.#session.hasServed = true;
  }

  refused(): boolean {
    this.#session?.stopSharing();
    return this.#session?.hasServed === true;
  }

  release(): void {
    this.#session?.remove(this);
    this.#session = undefined;
  }

  ready(session: ClientHttp2Session): void {
    this.#user.ready(session);
  }

  unavailable(connection: Duplex | undefined): void {
    this.#user.unavailable(connection);
  }

  failed(cause: Error): void {
    this.#user.failed(cause);
  }

  noRoom(): void {
    this.#chooseSession();
  }

  #chooseSession(): void {
    this.#session = sessionWithRoom(this.#target);
    this.#session.add(this);
  }
}

function sessionWithRoom(target: ClientTarget): SharedSession {
  const key = keyOf(target);
  if (key === undefined) return new SharedSession(target);
  const sameKey = sessions.get(key) ?? new Set();
  for (const session of sameKey) if (session.hasRoom) return session;
  sessions.set(key, sameKey);
  const session = new SharedSession(target, () => {
    sameKey.delete(session);
    if (sameKey.size === 0) sessions.delete(key);
  });
  sameKey.add(session);
  return session;
}

/**
 * Returns a key that requests must have in common to share a session: the server and all options that Node uses for the
 * connection. Returns undefined if one of the options is a function, a key object or a TLS context: two of these cannot
 * be compared, and a session must not be shared with a program of another identity or with other trusted certificates.
 */
function keyOf({ location, requestOptions }: ClientTarget): string | undefined {
  // Of these options, only `auth` belongs to the request and not to the connection.
  const options = Object.entries(requestOptions).filter(([name, value]) => name !== 'auth' && value !== undefined);
  let comparable = true;
  function withoutInstances(this: Record<string, unknown>, name: string, value: unknown): unknown {
    // JSON.stringify() has already called `Buffer.toJSON()` for `value`, so take the original value.
    const given = this[name];
    if (isBytes(given)) return `bytes ${Buffer.from(given).toString('base64')}`;
    if (!isPlain(given)) comparable = false;
    return value;
  }
  const key = JSON.stringify(
    options.sort(([one], [other]) => (one < other ? -1 : 1)),
    withoutInstances,
  );
  return comparable ? `${location.origin} ${key}` : undefined;
}

/** Returns whether JSON represents this value completely, apart from the values inside of it. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function';
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || prototype === Object.prototype;
}
