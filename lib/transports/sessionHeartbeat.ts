import type { Http2Session } from 'node:http2';
import { type Heart, type Watched, watch } from '../connection/keepalive';
import type { Carrier, Passenger } from '../contracts';
import type { HeartbeatSettings } from '../options';

/**
 * Milliseconds that an answer has at the least, however impatient the connections are: while Node writes to the socket of a session it
 * does not read from it, and over a slow way a write takes its time.
 */
const leastTimeout = 10_000;

/**
 * Asks the other end of a session for a sign of life by HTTP/2's own PING, which must be answered before all else (RFC 9113 §6.7),
 * whatever the windows of the streams are. So it also finds those dead whose silence a connection must excuse, because bytes of ours
 * wait for a window: sessions that Node 20 has given up after a violation of HTTP/2, without a word and without looking at the
 * socket any more.
 */
class SessionHeartbeat implements Carrier, Watched {
  readonly #session: Http2Session;
  readonly #passengers = new Set<Passenger>();
  #heart: Heart | undefined;
  #settings: HeartbeatSettings | undefined;
  #answered = false;
  #bytesRead = 0;

  constructor(session: Http2Session) {
    this.#session = session;
  }

  /** The most impatient of the connections so far says how often. */
  watch(passenger: Passenger, settings: HeartbeatSettings): void {
    this.#passengers.add(passenger);
    const current = this.#settings;
    if (current !== undefined && current.interval + current.timeout <= settings.interval + settings.timeout) return;
    this.#heart?.stop();
    this.#settings = settings;
    this.#heart = watch(this, { ...settings, timeout: Math.max(settings.timeout, leastTimeout) });
  }

  unwatch(passenger: Passenger): void {
    this.#passengers.delete(passenger);
    if (this.#passengers.size === 0) this.#stop();
  }

  #stop(): void {
    this.#heart?.stop();
    this.#heart = undefined;
    this.#settings = undefined;
  }

  hasHeard(): boolean {
    const heard = this.#answered;
    this.#answered = false;
    const before = this.#bytesRead;
    this.#bytesRead = this.#session.socket?.bytesRead ?? before;
    return heard || this.#bytesRead !== before;
  }

  /** There is no excuse: an endpoint that leaves its connection unread breaks the protocol (RFC 9113 §5.2.2). */
  get excusesSilence(): boolean {
    return this.#session.destroyed;
  }

  sendPing(): void {
    this.#session.ping((error) => {
      this.#answered ||= error === null;
    });
  }

  lost(): void {
    const passengers = [...this.#passengers];
    this.#passengers.clear();
    this.#stop();
    for (const passenger of passengers) passenger.lost();
    // Not with an error, which ordinary streams on it might not expect. After the connections have reset their streams.
    setImmediate(() => this.#session.destroy());
  }
}

const heartbeats = new WeakMap<Http2Session, SessionHeartbeat>();

export function heartbeatOf(session: Http2Session): Carrier {
  const known = heartbeats.get(session);
  if (known !== undefined) return known;
  const heartbeat = new SessionHeartbeat(session);
  heartbeats.set(session, heartbeat);
  return heartbeat;
}
