import { EventEmitter, getEventListeners } from 'node:events';

type Listened = EventEmitter | AbortSignal;

/** The events of an emitter that have listeners, and how many. Those of an AbortSignal are `'abort'`. */
function countsOf(listened: Listened): Map<string | symbol, number> {
  if (!(listened instanceof EventEmitter)) return new Map([['abort', getEventListeners(listened, 'abort').length]]);
  return new Map(listened.eventNames().map((name) => [name, listened.listenerCount(name)]));
}

/** Emitters that live longer than a WebSocket: when it has ended, they have the listeners that they had before. */
export class LeftListeners {
  readonly #all: {
    readonly name: string;
    readonly listened: Listened;
    readonly before: Map<string | symbol, number>;
  }[] = [];

  /** Remembers the listeners that an emitter has now. */
  watch<T extends Listened>(name: string, listened: T): T {
    this.#all.push({ name, listened, before: countsOf(listened) });
    return listened;
  }

  /** A line for each event that has more of them. */
  get found(): string[] {
    return this.#all.flatMap(({ name, listened, before }) =>
      [...countsOf(listened)]
        .filter(([event, count]) => count > (before.get(event) ?? 0))
        .map(
          ([event, count]) => `${name} has ${count} listeners of ${String(event)}, and had ${before.get(event) ?? 0}`,
        ),
    );
  }
}
