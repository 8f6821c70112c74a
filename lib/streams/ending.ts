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

/**
 * Since Node 24 `pipeline()` asks a stream that it writes to whether it is `closed`, and takes any object for yes. There is no
 * promise that is false, so the one caller that wants Node's boolean is told apart by its file.
 */
export function askedByPipeline(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = 3;
  Error.prepareStackTrace = (_error, [, , caller]) => caller?.getFileName();
  const caller: unknown = new Error().stack;
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return caller === 'node:internal/streams/pipeline';
}
