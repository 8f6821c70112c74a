import { clearInterval, setInterval } from 'node:timers';
import type { HeartbeatSettings } from '../options';

/** The methods of a Connection that the keepalive uses. */
export interface KeepaliveSubject {
  /** Returns whether bytes were received since the last call. */
  hasReceived(): boolean;
  /** Whether reading is paused because the program accepts no more messages (backpressure). */
  readonly isReadingPaused: boolean;
  /**
   * Whether the peer may be silent because of this end: bytes, such as a ping, wait to be sent, or the connection is
   * closing.
   */
  readonly mayBeSilent: boolean;
  sendPing(): void;
  /**
   * Sends an unsolicited pong (RFC 6455 §5.5.3). An end whose reading is paused sees no pings and answers none; the
   * pong shows the peer that it is still alive.
   */
  sendUnsolicitedPong(): void;
  /** Called when nothing was received within the timeout after a ping. */
  peerLost(): void;
}

/** The number of ticks in the interval or in the timeout, whichever is shorter. */
const precision = 10;

/**
 * Ticks between two unsolicited pongs of an end whose reading is paused. A peer with the same settings waits for an
 * answer for at least twice as many.
 */
const ticksToUnsolicitedPong = precision / 2;

/** Milliseconds by which a timer of Node fires late on an idle machine. */
const lateness = 1;

/** The fraction of the interval for which a peer may always be silent before it is pinged. */
const shortestSilence = 0.7;

/**
 * Pings a silent peer, and reports a peer that does not answer. It counts ticks of a timer, not time: a tick that is
 * late, because the process was busy or suspended, counts as one.
 */
export class Keepalive {
  readonly #subject: KeepaliveSubject;
  readonly #timer: KeepaliveTimer;
  /** Ticks since the last byte was received, or since the ping was sent. */
  #silence = 0;
  #pinged = false;
  /** Ticks since reading was paused, or since the last unsolicited pong. */
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
    if (subject.hasReceived()) {
      this.#silence = 0;
      this.#pinged = false;
    } else if (!subject.isReadingPaused && !subject.mayBeSilent) this.#countSilence(ticksToPing, ticksToAnswer);
  }

  #countPaused(): void {
    this.#pausedFor++;
    if (this.#pausedFor < ticksToUnsolicitedPong) return;
    this.#pausedFor = 0;
    this.#subject.sendUnsolicitedPong();
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

/** One timer for all connections with the same settings. It does not keep the process alive. */
class KeepaliveTimer {
  readonly #keepalives = new Set<Keepalive>();
  readonly #settings: HeartbeatSettings;
  readonly #tick: number;
  readonly #ticksToPing: number;
  readonly #ticksToAnswer: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: HeartbeatSettings) {
    const { interval, timeout } = settings;
    this.#settings = settings;
    // Timers of Node count whole milliseconds.
    this.#tick = Math.max(1, Math.floor(Math.min(interval, timeout) / precision));
    // Rounded up: the peer has at least the whole timeout to answer a ping.
    this.#ticksToAnswer = Math.floor(timeout / this.#tick) + 1;
    // A lost peer must be reported within interval + timeout. An answer is seen at the next tick only, and each tick
    // may be late by `lateness`. The ticks that remain are for the silence before the ping.
    const ticks = Math.floor((interval + timeout) / (this.#tick + lateness)) - this.#ticksToAnswer - 1;
    this.#ticksToPing = Math.max(1, ticks, Math.floor((shortestSilence * interval) / this.#tick));
  }

  has({ interval, timeout }: HeartbeatSettings): boolean {
    return interval === this.#settings.interval && timeout === this.#settings.timeout;
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
    timers.delete(this);
  }

  #tickAll(): void {
    for (const keepalive of this.#keepalives) keepalive.tick(this.#ticksToPing, this.#ticksToAnswer);
  }
}

const timers = new Set<KeepaliveTimer>();

function timerFor(settings: HeartbeatSettings): KeepaliveTimer {
  for (const timer of timers) if (timer.has(settings)) return timer;
  return new KeepaliveTimer(settings);
}

/**
 * Watches a connection until `stop()` is called. A silent peer is pinged after the interval. If no byte is received
 * from it within the timeout, `peerLost()` is called. RFC 6455 §5.5.2 allows pings as a keepalive and does not say when
 * to send them.
 */
export function startKeepalive(subject: KeepaliveSubject, settings: HeartbeatSettings): Keepalive {
  const timer = timerFor(settings);
  timers.add(timer);
  const keepalive = new Keepalive(subject, timer);
  timer.add(keepalive);
  return keepalive;
}
