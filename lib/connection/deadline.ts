import { clearTimeout, setTimeout } from 'node:timers';

/** A timer that each call of `progressed()` starts again from zero. */
export class Deadline {
  readonly #expired: () => void;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  /** @param milliseconds the time after which `expired` is called */
  constructor(milliseconds: number, expired: () => void) {
    this.#expired = expired;
    this.#timer = setTimeout(() => this.#expired(), milliseconds);
  }

  /** Starts the timer again, also if it has expired. Does nothing after `stop()`. */
  progressed(): void {
    // refresh() would start a cleared timer again.
    if (!this.#stopped) this.#timer.refresh();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Lets the process end while the timer is running. */
  unref(): this {
    this.#timer.unref();
    return this;
  }
}
