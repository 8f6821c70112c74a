import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';

const { setTimeout: realTimeout } = globalThis;

/** Some turns of the event loop, and a moment in which the system passes bytes on. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  await new Promise<void>((resolve) => void realTimeout(resolve, 1));
}

/** In whose name code runs, and sets timers. */
export interface TimerOwner {
  /** Called if the callback of one of its timers throws, or if other code that runs in its name throws and nobody catches it. */
  threw(error: unknown): void;
}

/** The owner of timers that code outside of `ownedBy()` has set, and of promises that somebody waits for. */
const nobody: TimerOwner = {
  threw(error) {
    throw error;
  },
};

/** What `setTimeout()` and `setInterval()` return while time is virtual. */
class VirtualTimer {
  due = 0;
  readonly #time: VirtualTime;

  readonly delay: number;
  readonly repeats: boolean;
  readonly owner: TimerOwner;
  readonly run: () => void;

  constructor(time: VirtualTime, delay: number, repeats: boolean, owner: TimerOwner, run: () => void) {
    this.delay = delay;
    this.repeats = repeats;
    this.owner = owner;
    this.run = run;
    this.#time = time;
    this.refresh();
  }

  refresh(): this {
    this.due = this.#time.now + Math.max(1, this.delay);
    this.#time.active.add(this);
    return this;
  }

  close(): this {
    this.#time.active.delete(this);
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const patched = ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] as const;

/**
 * Replaces the timers of Node by ones that count steps of the event loop instead of milliseconds: while many connections wait for
 * deadlines of seconds, bytes travel as usual. Beside what `mock.timers` of `node:test` does, `refresh()` works and each timer has an
 * owner, so that a timer that is left can be told to whom it belongs. `setImmediate()` and the timers inside of Node stay real.
 */
export class VirtualTime implements Disposable {
  /** Milliseconds since the beginning. */
  now = 0;
  readonly active = new Set<VirtualTimer>();
  readonly #owners = new AsyncLocalStorage<TimerOwner>();
  readonly #real = Object.fromEntries(patched.map((name) => [name, globalThis[name]]));
  readonly #realPromise = timersPromises.setTimeout;
  #passing = false;

  /** Replaces the timers until `[Symbol.dispose]()`. */
  start(): void {
    const clear = (timer: unknown) => {
      if (timer instanceof VirtualTimer) timer.close();
    };
    const replacements = {
      setTimeout: (run: () => void, delay = 1, ...rest: never[]) => this.#set(false, run, delay, rest),
      setInterval: (run: () => void, delay = 1, ...rest: never[]) => this.#set(true, run, delay, rest),
      clearTimeout: clear,
      clearInterval: clear,
    };
    Object.assign(globalThis, replacements);
    Object.assign(timers, replacements);
    timersPromises.setTimeout = ((delay = 1, value?: unknown) => {
      return new Promise<unknown>((resolve) => void this.#set(false, () => resolve(value), delay, [], nobody));
    }) as typeof timersPromises.setTimeout;
  }

  ownedBy<T>(owner: TimerOwner, run: () => T): T {
    return this.#owners.run(owner, run);
  }

  /** The owner in whose name the running code runs. */
  get owner(): TimerOwner | undefined {
    return this.#owners.getStore();
  }

  /** How many timers of this owner, for less than so many milliseconds, have neither fired nor been cleared. */
  countOf(owner: TimerOwner, shorterThan = Number.POSITIVE_INFINITY): number {
    let count = 0;
    for (const timer of this.active) if (timer.owner === owner && timer.delay < shorterThan) count++;
    return count;
  }

  /** The delays of the timers that have neither fired nor been cleared, in milliseconds. */
  get delays(): number[] {
    return [...this.active].map(({ delay }) => delay);
  }

  clearAllOf(owner: TimerOwner): void {
    for (const timer of this.active) if (timer.owner === owner) timer.close();
  }

  /** Lets time go by until the promise is settled: a step of milliseconds, then some turns of the event loop, and so on. */
  async passUntil(event: Promise<unknown>, step = 20): Promise<void> {
    if (this.#passing) throw new Error('Time passes already');
    this.#passing = true;
    let over = false;
    const end = () => {
      over = true;
    };
    event.then(end, end);
    while (!over) {
      this.#advance(step);
      await turns(3);
    }
    this.#passing = false;
  }

  #set(
    repeats: boolean,
    run: (...rest: never[]) => void,
    delay: number,
    rest: never[],
    owner = this.owner ?? nobody,
  ): VirtualTimer {
    const bound = AsyncResource.bind(() => run(...rest));
    return new VirtualTimer(this, delay, repeats, owner, bound);
  }

  #advance(step: number): void {
    this.now += step;
    const due = [...this.active].filter((timer) => timer.due <= this.now).sort((one, other) => one.due - other.due);
    for (const timer of due) {
      // One that ran before it may have cleared it.
      if (!this.active.has(timer)) continue;
      if (timer.repeats) timer.refresh();
      else timer.close();
      try {
        timer.run();
      } catch (error) {
        timer.owner.threw(error);
      }
    }
  }

  /** Lets this many milliseconds go by, in steps of so many. */
  pass(milliseconds: number, step?: number): Promise<void> {
    return this.passUntil(new Promise<void>((resolve) => void setTimeout(resolve, milliseconds)), step);
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#real);
    Object.assign(timers, this.#real);
    timersPromises.setTimeout = this.#realPromise;
    this.active.clear();
  }
}
