// Imported, because under jsdom the global functions are those of a browser, whose timers are numbers without unref().
import { clearTimeout, setTimeout } from 'node:timers';

/** Calls `whenIdle` when `touch()` was not called for some time. It does not keep the process alive. */
export class IdleTimer {
  readonly #delay: number;
  readonly #whenIdle: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param delay milliseconds */
  constructor(delay: number, whenIdle: () => void) {
    this.#delay = delay;
    this.#whenIdle = whenIdle;
  }

  /**
   * Starts the timer again. Returns whether this is the first call since the timer was made, expired or was stopped.
   */
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

/** Milliseconds for which an unused engine is kept. */
const keptFor = 30_000;

/**
 * Engines that keep no state between messages and are shared by all connections. Their work is synchronous, so one
 * engine for each set of parameters is enough for the process.
 */
export class SharedEngines<E extends Engine> {
  readonly #engines = new Map<string, { readonly engine: E; readonly idle: IdleTimer }>();

  /** Calls `work()` with the engine for these parameters. If it throws, the engine is not used again. */
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
