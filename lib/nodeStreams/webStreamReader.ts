import type { Duplex } from 'node:stream';

type Listener = (this: Duplex) => void;

/**
 * Before Node 24, the ReadableStream of `Duplex.toWeb()` closes only when both sides of the Duplex have ended, because
 * its `finished()` waits for the writable side too. A chain of web streams that leads back to the Duplex would wait for
 * its own end.
 */
const isNeeded = Number(process.versions.node.split('.', 1)[0]) < 24;

/** The 'data' listeners of web streams that were handled before: listeners added after them belong to other code. */
const known = new WeakSet<Listener>();

/**
 * Returns a function that closes the ReadableStream which has just added its 'data' listener, as `finished()` would do
 * if it waited for the readable side alone. Returns undefined if the listener is not that of a ReadableStream, or if
 * this Node needs no help. The ReadableStream can be reached only by the listeners that Node adds, which are recognized
 * by their names. If they are not found, the ReadableStream closes later, as in Node itself.
 */
export function webStreamCloser(stream: Duplex): (() => void) | undefined {
  if (!isNeeded) return undefined;
  const reader = latest(stream, 'data');
  if (reader?.name !== 'onData' || known.has(reader)) return undefined;
  known.add(reader);
  const finished = latest(stream, 'finish');
  const closed = latest(stream, 'close');
  if (finished?.name !== 'onfinish' || closed?.name !== 'onclose') return undefined;
  return () => {
    for (const listener of [finished, closed]) listener.call(stream);
  };
}

function latest(stream: Duplex, event: string): Listener | undefined {
  return stream.listeners(event).at(-1) as Listener | undefined;
}
