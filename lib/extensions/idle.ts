// Not the globals: under jsdom those are a browser's, whose timers are numbers without unref().
import { clearTimeout, setTimeout } from 'node:timers';

/** Calls back once nothing has been done for a while. It does not keep the process alive. */
export class IdleTimer {
  readonly #delay: number;
  readonly #whenIdle: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param delay milliseconds */
  constructor(delay: number, whenIdle: () => void) {
    this.#delay = delay;
    this.#whenIdle = whenIdle;
  }

  /** Something is being done. Returns whether it is the first thing for a while. */
  touch(): boolean {
    const first = this.#timer === undefined;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#expire(), this.#delay).unref();
    else this.#timer.refresh();
    return first;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    this.#whenIdle();
  }
}

interface Engine {
  reset(): void;
  close(): void;
}

/** How long an engine without a connection is kept for the next one that needs it. */
const keptFor = 30_000;

/**
 * Engines that keep nothing from message to message serve all connections: they work at once, so one for each set of
 * parameters is enough for the whole process.
 */
export class SharedEngines<E extends Engine> {
  readonly #engines = new Map<string, { readonly engine: E; readonly idle: IdleTimer }>();

  /** Lets one do its work. One that throws is not used again. */
  use<T>(parameters: string, create: () => E, work: (engine: E) => T): T {
    const shared = this.#engines.get(parameters) ?? this.#add(parameters, create());
    shared.idle.touch();
    try {
      const result = work(shared.engine);
      shared.engine.reset();
      return result;
    } catch (error) {
      shared.idle.stop();
      this.#engines.delete(parameters);
      shared.engine.close();
      throw error;
    }
  }

  #add(parameters: string, engine: E): { readonly engine: E; readonly idle: IdleTimer } {
    const idle = new IdleTimer(keptFor, () => {
      this.#engines.delete(parameters);
      engine.close();
    });
    const shared = { engine, idle };
    this.#engines.set(parameters, shared);
    return shared;
  }
}
