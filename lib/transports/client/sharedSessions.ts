import type { ClientHttp2Session } from 'node:http2';
import { globalAgent, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { ClientTarget } from './clientAttempt';
import type { SessionUse, SessionUser } from './session';
import { addressOf } from './sessionSocket';
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
 * Returns what requests must have in common to share a session; undefined for options that are functions, which cannot
 * be compared.
 */
function keyOf({ location, requestOptions }: ClientTarget): string | undefined {
  const { createConnection, checkServerIdentity, lookup, secureContext } = requestOptions as RequestOptions &
    ConnectionOptions;
  if (createConnection ?? checkServerIdentity ?? lookup ?? secureContext) return undefined;
  // getName() contains the options of TLS that distinguish connections.
  return `${location.origin} ${globalAgent.getName({ ...requestOptions, ...addressOf(location) })}`;
}
