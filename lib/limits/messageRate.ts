import { clearTimeout, setTimeout } from 'node:timers';

/** The reading side of a connection, as far as a limit stops it. */
export interface SuspendableReading {
  suspendReading(): void;
  resumeReading(): void;
}

/** Reading goes on when the peer may send the messages of this part of a second, so that no timer runs for each one. */
const pause = 1 / 10;

/**
 * Limits the rate of received messages. A peer may send the messages of one second at once. When it has sent more, reading
 * is suspended, so that its messages wait on its own side: none is lost, and the connection stays open.
 */
export class MessageRate {
  readonly #rate: number;
  readonly #reading: SuspendableReading;
  readonly #now: () => number;
  /** The number of messages that the peer may send at the moment. */
  #allowance: number;
  #updatedAt: number;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param rate messages per second
   * @param now a clock, in milliseconds
   */
  constructor(rate: number, reading: SuspendableReading, now = () => performance.now()) {
    this.#rate = rate;
    this.#reading = reading;
    this.#now = now;
    this.#allowance = this.#most;
    this.#updatedAt = now();
  }

  /** Called for each received message. */
  count(): void {
    const now = this.#now();
    this.#allowance = Math.min(this.#most, this.#allowance + ((now - this.#updatedAt) / 1000) * this.#rate) - 1;
    this.#updatedAt = now;
    if (this.#allowance >= 1 || this.#timer !== undefined) return;
    this.#reading.suspendReading();
    const enough = Math.max(1, this.#rate * pause);
    const missing = enough - this.#allowance;
    this.#timer = setTimeout(() => this.#goOn(enough), Math.ceil((missing / this.#rate) * 1000));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #goOn(allowance: number): void {
    this.#timer = undefined;
    this.#allowance = allowance;
    this.#updatedAt = this.#now();
    this.#reading.resumeReading();
  }

  /** A rate of less than one message per second allows one. */
  get #most(): number {
    return Math.max(1, this.#rate);
  }
}
