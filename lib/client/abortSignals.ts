/** What waits for each signal. All have one listener in common, for Node warns of the eleventh on one AbortSignal. */
const waiting = new WeakMap<AbortSignal, SharedListener>();

interface SharedListener {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Calls back when the signal aborts, unless the returned function was called before. A signal that has aborted already never
 * calls back.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const shared = waiting.get(signal) ?? listenTo(signal);
  // The same function may wait twice.
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
