import type { CloseOutcome } from '../session';

/** The outcome of a connection and those who wait for it. The promise is made only when it is asked for; mostly it is not. */
export class Ending {
  outcome: CloseOutcome | undefined;
  #waiting: ((outcome: CloseOutcome) => void)[] = [];

  promise(): Promise<CloseOutcome> {
    const { outcome } = this;
    if (outcome !== undefined) return Promise.resolve(outcome);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Counts once. */
  settle(outcome: CloseOutcome): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    for (const resolve of this.#waiting.splice(0)) resolve(outcome);
  }
}
