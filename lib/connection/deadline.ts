import { clearTimeout, setTimeout } from 'node:timers';

/** A timer that can be put off: each `progressed()` gives it its whole time again. */
export class Deadline {
  readonly #expired: () => void;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  /** @param milliseconds until `expired` is called, once */
  constructor(milliseconds: number, expired: () => void) {
    this.#expired = expired;
    this.#timer = setTimeout(() => this.#expired(), milliseconds);
  }

  /** Starts to count anew, also after it has expired, but not after `stop()`. */
  progressed(): void {
    // refresh() would start a cleared timer again.
    if (!this.#stopped) this.#timer.refresh();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Lets the process end although it is still counting. */
  unref(): this {
    this.#timer.unref();
    return this;
  }
}
