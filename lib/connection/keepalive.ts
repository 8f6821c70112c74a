import { clearInterval, setInterval } from 'node:timers';
import type { HeartbeatSettings } from '../options';

/** A connection, as far as its keepalive looks at it. */
export interface KeepaliveSubject {
  /** Whether bytes have come since this was last asked. */
  hasHeard(): boolean;
  /** Whether this end does not read at the moment, because its program has enough. */
  readonly isReadingPaused: boolean;
  /** Whether the peer's silence may have a reason on this end: bytes, a ping perhaps, wait to leave, or the connection is closing. */
  readonly isSilenceExcused: boolean;
  sendPing(): void;
  /** Tells the peer that this end lives, though it reads nothing and so answers no ping: an unsolicited pong (RFC 6455 §5.5.3). */
  sendSignOfLife(): void;
  /** The peer has not answered in time. */
  peerLost(): void;
}

/** Into how many ticks the shorter of interval and timeout is divided. */
const precision = 10;

/** Ticks between two signs of life of an end that does not read: a peer with the same settings waits for twice as many. */
const ticksToSignOfLife = precision / 2;

/** Milliseconds by which a timer fires late when nothing holds it up. */
const lateness = 1;

/** The part of the interval that a peer may be silent in any case. */
const shortestSilence = 0.7;

/**
 * Pings a peer that is silent, and reports one that stays so. It counts ticks, not time: a tick that comes late, because the process
 * was busy or asleep, counts once.
 */
export class Keepalive {
  readonly #subject: KeepaliveSubject;
  readonly #timer: KeepaliveTimer;
  /** Ticks since the last byte came, or since the ping. */
  #silence = 0;
  #pinged = false;
  /** Ticks since this end has stopped to read, or since its last sign of life. */
  #pausedFor = 0;

  constructor(subject: KeepaliveSubject, timer: KeepaliveTimer) {
    this.#subject = subject;
    this.#timer = timer;
  }

  stop(): void {
    this.#timer.remove(this);
  }

  tick(ticksToPing: number, ticksToAnswer: number): void {
    const subject = this.#subject;
    if (subject.isReadingPaused) this.#countPaused();
    else this.#pausedFor = 0;
    if (subject.hasHeard()) {
      this.#silence = 0;
      this.#pinged = false;
    } else if (!subject.isReadingPaused && !subject.isSilenceExcused) this.#countSilence(ticksToPing, ticksToAnswer);
  }

  #countPaused(): void {
    this.#pausedFor++;
    if (this.#pausedFor < ticksToSignOfLife) return;
    this.#pausedFor = 0;
    this.#subject.sendSignOfLife();
  }

  #countSilence(ticksToPing: number, ticksToAnswer: number): void {
    this.#silence++;
    if (this.#pinged) {
      if (this.#silence >= ticksToAnswer) this.#subject.peerLost();
    } else if (this.#silence >= ticksToPing) {
      this.#silence = 0;
      this.#pinged = true;
      this.#subject.sendPing();
    }
  }
}

/** The one timer of all connections with the same settings. It does not keep the process alive. */
class KeepaliveTimer {
  readonly #keepalives = new Set<Keepalive>();
  readonly #key: string;
  readonly #tick: number;
  readonly #ticksToPing: number;
  readonly #ticksToAnswer: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(key: string, { interval, timeout }: HeartbeatSettings) {
    this.#key = key;
    this.#tick = Math.max(1, Math.min(interval, timeout) / precision);
    // A ping has the whole timeout for its answer.
    this.#ticksToAnswer = Math.floor(timeout / this.#tick) + 1;
    // An answer is seen at the tick behind it, and each tick may be late by as much as a timer of Node's is: what is left of both
    // settings is for the silence before the ping.
    const ticks = Math.floor((interval + timeout) / (this.#tick + lateness)) - this.#ticksToAnswer - 1;
    this.#ticksToPing = Math.max(1, ticks, Math.floor((shortestSilence * interval) / this.#tick));
  }

  add(keepalive: Keepalive): void {
    this.#keepalives.add(keepalive);
    this.#timer ??= setInterval(() => this.#tickAll(), this.#tick).unref();
  }

  remove(keepalive: Keepalive): void {
    this.#keepalives.delete(keepalive);
    if (this.#keepalives.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    timers.delete(this.#key);
  }

  #tickAll(): void {
    for (const keepalive of this.#keepalives) keepalive.tick(this.#ticksToPing, this.#ticksToAnswer);
  }
}

const timers = new Map<string, KeepaliveTimer>();

/**
 * Watches a connection until `stop()` is called. A silent peer is pinged after the interval; if nothing at all comes from it within
 * the timeout, it is lost (RFC 6455 §5.5.2 leaves the keepalive to us).
 */
export function startKeepalive(subject: KeepaliveSubject, settings: HeartbeatSettings): Keepalive {
  const key = `${settings.interval} ${settings.timeout}`;
  const timer = timers.get(key) ?? new KeepaliveTimer(key, settings);
  timers.set(key, timer);
  const keepalive = new Keepalive(subject, timer);
  timer.add(keepalive);
  return keepalive;
}
