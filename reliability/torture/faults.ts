/** One call that can fail: its kind, and which of the calls of this kind it is in a conversation, from 1 on. */
export interface Fault {
  readonly kind: string;
  readonly number: number;
}

/** The error of every call that is made to fail. */
export class InjectedError extends Error {
  readonly code = 'EINJECTED';
}

/** Counts the calls that can fail while a conversation runs, and makes one of them fail. */
export class Faults {
  readonly counts = new Map<string, number>();
  /** Whether the chosen call was made. */
  reached = false;
  #running = false;
  #chosen: Fault | undefined;

  start(chosen?: Fault): void {
    this.counts.clear();
    this.reached = false;
    this.#running = true;
    this.#chosen = chosen;
  }

  stop(): void {
    this.#running = false;
  }

  /** Called by each call that can fail. Returns whether it has to. */
  fails(kind: string): boolean {
    if (!this.#running) return false;
    const number = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, number);
    const chosen = this.#chosen?.kind === kind && this.#chosen.number === number;
    this.reached ||= chosen;
    return chosen;
  }

  /** A function of the program under test that can throw. */
  program<A extends unknown[], R>(kind: string, work: (...parameters: A) => R): (...parameters: A) => R {
    return (...parameters) => {
      if (this.fails(`program: ${kind}`)) throw new InjectedError(kind);
      return work(...parameters);
    };
  }
}
