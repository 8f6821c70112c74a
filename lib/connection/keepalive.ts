import type { HeartbeatSettings } from '../options';

/** A connection, as far as its heartbeat looks at it. */
export interface Watched {
  /** Whether bytes have come since this was last asked. */
  hasHeard(): boolean;
  /**
   * Whether the peer's silence may be our own doing: we do not read at the moment, or what we have sent, a ping perhaps, has not
   * left yet. The clock then stands still.
   */
  readonly excusesSilence: boolean;
  sendPing(): void;
  /** The peer has not answered. */
  peerLost(): void;
}

/** Into how many ticks the shorter of interval and timeout is divided. */
const precision = 10;

/** Milliseconds by which a timer fires late when nothing holds it up. */
const lateness = 1;

/** The part of the interval that a peer may be silent in any case. */
const shortestSilence = 0.7;

/** Pings a peer that is silent, and says when it stays so. It counts ticks, not time: one that comes late, because the process was busy or asleep, counts once. */
export class Heart {
  readonly #watched: Watched;
  readonly #hearts: Hearts;
  /** Ticks since the last sign of life, or since the ping. */
  #silence = 0;
  #pinged = false;

  constructor(watched: Watched, hearts: Hearts) {
    this.#watched = watched;
    this.#hearts = hearts;
  }

  stop(): void {
    this.#hearts.remove(this);
  }

  tick(ticksToPing: number, ticksToAnswer: number): void {
    const watched = this.#watched;
    if (watched.hasHeard()) {
      this.#silence = 0;
      this.#pinged = false;
    } else if (!watched.excusesSilence) this.#count(ticksToPing, ticksToAnswer);
  }

  #count(ticksToPing: number, ticksToAnswer: number): void {
    this.#silence++;
    if (this.#pinged) {
      if (this.#silence >= ticksToAnswer) this.#watched.peerLost();
    } else if (this.#silence >= ticksToPing) {
      this.#silence = 0;
      this.#pinged = true;
      this.#watched.sendPing();
    }
  }
}

/** All connections with the same settings, on one timer, which does not keep the process alive. */
class Hearts {
  readonly #hearts = new Set<Heart>();
  readonly #key: string;
  readonly #tick: number;
  readonly #ticksToPing: number;
  readonly #ticksToAnswer: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(key: string, { interval, timeout }: HeartbeatSettings) {
    this.#key = key;
    this.#tick = Math.max(1, Math.min(interval, timeout) / precision);
    // A ping has all of its time for the answer.
    this.#ticksToAnswer = Math.floor(timeout / this.#tick) + 1;
    // Life shows at the tick behind it, and each tick may be late by as much as a timer of Node's is: what is left of both
    // settings is for the silence before the ping.
    const ticks = Math.floor((interval + timeout) / (this.#tick + lateness)) - this.#ticksToAnswer - 1;
    this.#ticksToPing = Math.max(1, ticks, Math.floor((shortestSilence * interval) / this.#tick));
  }

  add(heart: Heart): void {
    this.#hearts.add(heart);
    this.#timer ??= setInterval(() => this.#beat(), this.#tick).unref();
  }

  remove(heart: Heart): void {
    this.#hearts.delete(heart);
    if (this.#hearts.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    heartsBySettings.delete(this.#key);
  }

  #beat(): void {
    for (const heart of this.#hearts) heart.tick(this.#ticksToPing, this.#ticksToAnswer);
  }
}

const heartsBySettings = new Map<string, Hearts>();

/**
 * Watches a connection until its heart stops. A silent peer is pinged after the interval; if nothing at all comes from it within
 * the timeout, it is lost (RFC 6455 §5.5.2 leaves the keepalive to us).
 */
export function watch(watched: Watched, settings: HeartbeatSettings): Heart {
  const key = `${settings.interval} ${settings.timeout}`;
  const hearts = heartsBySettings.get(key) ?? new Hearts(key, settings);
  heartsBySettings.set(key, hearts);
  const heart = new Heart(watched, hearts);
  hearts.add(heart);
  return heart;
}
