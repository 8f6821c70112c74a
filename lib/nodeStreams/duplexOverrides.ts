import { Duplex, type Readable } from 'node:stream';

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter declares the listeners of events it knows nothing about
export type AnyListener = (...parameters: any[]) => void;

type Name = string | symbol;

/**
 * Overrides the methods that add and remove listeners: calls `changed` after a listener of 'message' or 'data' was
 * added or removed.
 */
export function overrideListenerMethods<S extends Duplex>(prototype: S, changed: (stream: S) => void): void {
  const override = (method: 'on' | 'prependListener' | 'removeListener', ...names: string[]) => {
    const original = Duplex.prototype[method] as (this: S, event: Name, listener: AnyListener) => S;
    function overridden(this: S, event: Name, listener: AnyListener): S {
      original.call(this, event, listener);
      if (event === 'message' || event === 'data') changed(this);
      return this;
    }
    for (const name of names)
      Object.defineProperty(prototype, name, { value: overridden, writable: true, configurable: true });
  };
  // once() and prependOnceListener() need no override: they call on() and prependListener().
  override('on', 'on', 'addListener');
  override('prependListener', 'prependListener');
  override('removeListener', 'removeListener', 'off');
}

/** The listeners of the library, on streams that a program has too. */
const ownListeners = new WeakSet<object>();

/** Marks a listener as one of the library, which the program does not remove by `removeAllListeners()`. */
export function ownListener<L extends object>(listener: L): L {
  ownListeners.add(listener);
  return listener;
}

/**
 * Removes the program's listeners, as `removeAllListeners()` does.
 * @param event default: all events
 */
export function removeProgramListeners(stream: Duplex, event: Name | undefined): void {
  for (const name of event === undefined ? stream.eventNames() : [event]) {
    for (const listener of stream.rawListeners(name) as (AnyListener & { readonly listener?: AnyListener })[]) {
      // once() adds a function around the listener.
      if (!ownListeners.has(listener.listener ?? listener)) stream.removeListener(name, listener);
    }
  }
}

/** Overrides properties that Node defines by getters. A class cannot: TypeScript declares them as fields. */
export function overrideGetters<S extends Duplex>(prototype: S, getters: Record<string, (stream: S) => unknown>): void {
  for (const [name, getter] of Object.entries(getters)) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: S): unknown {
        return getter(this);
      },
    });
  }
}

/** The operators of Readable that return another Readable. */
const operators = ['map', 'filter', 'flatMap', 'take', 'drop', 'asIndexedPairs'] as const;

/** The methods of Readable that return another stream. */
const derivations = [...operators, 'compose'] as const;

type Derivation = (this: Readable, ...parameters: unknown[]) => Readable;

/** Calls `noted` when an operator of Readable is applied to the stream. */
export function noteOperators<S extends Readable>(prototype: S, noted: (stream: S) => void): void {
  overrideDerivations(prototype, operators, noted);
}

/**
 * Calls `noted` with each stream that Node makes of the stream, by an operator of Readable or by `compose()`, and with
 * each stream that Node makes of such a stream.
 */
export function noteDerivedStreams<S extends Readable>(
  prototype: S,
  noted: (stream: S, derived: Readable) => void,
): void {
  overrideDerivations(prototype, derivations, (stream, derived) => {
    noted(stream, derived);
    noteDerivedStreams(derived, (_, next) => noted(stream, next));
  });
}

function overrideDerivations<S extends Readable>(
  prototype: S,
  names: readonly string[],
  noted: (stream: S, derived: Readable) => void,
): void {
  for (const name of names) {
    const derive = (prototype as unknown as Record<string, Derivation | undefined>)[name];
    if (derive === undefined) continue;
    Object.defineProperty(prototype, name, {
      configurable: true,
      writable: true,
      value(this: S, ...parameters: unknown[]): unknown {
        const derived = derive.apply(this, parameters);
        noted(this, derived);
        return derived;
      },
    });
  }
}
