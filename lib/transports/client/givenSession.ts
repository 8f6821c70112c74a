import type { ClientHttp2Session } from 'node:http2';
import { type SessionUse, type SessionUser, takesExtendedConnect } from './session';

const givenSessions = new WeakMap<ClientHttp2Session, GivenSession>();

/** Uses a session of the program. The program closes it. */
export function useGivenSession(session: ClientHttp2Session, user: SessionUser): SessionUse {
  const given = givenSessions.get(session) ?? new GivenSession(session);
  givenSessions.set(session, given);
  return given.use(user);
}

/** The requests that wait for the settings of a session of the program. They share one listener. */
class GivenSession {
  readonly #session: ClientHttp2Session;
  readonly #waiting = new Set<SessionUser>();

  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  use(user: SessionUser): SessionUse {
    const session = this.#session;
    if (this.#waiting.size === 0) {
      session.once('close', this.#settle);
      if (session.closed || session.destroyed || hasSettings(session)) process.nextTick(this.#settle);
      else session.once('remoteSettings', this.#settle);
    }
    this.#waiting.add(user);
    return { answered() {}, refused: () => false, release: () => void this.#waiting.delete(user) };
  }

  readonly #settle = () => {
    const session = this.#session;
    session.removeListener('close', this.#settle);
    session.removeListener('remoteSettings', this.#settle);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const user of waiting) {
      if (session.closed || session.destroyed) user.failed(new Error('the session is closed'));
      else if (takesExtendedConnect(session)) user.ready(session);
      else user.unavailable(undefined);
    }
  };
}

/** Returns whether the settings of the server were received. Until then, Node has an empty object. */
function hasSettings({ remoteSettings }: ClientHttp2Session): boolean {
  return Object.keys(remoteSettings).length > 0;
}
