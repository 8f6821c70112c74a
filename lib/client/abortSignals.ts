/**
 * The shared listener of each signal. The callbacks for one signal share it, because Node warns of the eleventh
 * listener of an AbortSignal.
 */
const waiting = new WeakMap<AbortSignal, SharedListener>();

interface SharedListener {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Calls `callback` when the signal is aborted. Returns a function that removes the callback. If the signal has been
 * aborted already, the callback is never called.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const shared = waiting.get(signal) ?? listenTo(signal);
  // A new function, because the same callback may be added twice.
  const own = () => callback();
  shared.callbacks.add(own);
  return () => {
    if (!shared.callbacks.delete(own) || shared.callbacks.size > 0) return;
    signal.removeEventListener('abort', shared.listener);
    if (waiting.get(signal) === shared) waiting.delete(signal);
  };
}

function listenTo(signal: AbortSignal): SharedListener {
  const callbacks = new Set<() => void>();
  const listener = () => {
    waiting.delete(signal);
    const all = [...callbacks];
    callbacks.clear();
    for (const callback of all) callback();
  };
  const shared: SharedListener = { callbacks, listener };
  waiting.set(signal, shared);
  signal.addEventListener('abort', listener, { once: true });
  return shared;
}
