import type { Duplex } from 'node:stream';

type Listener = (this: Duplex) => void;

/**
 * Before Node 24, the ReadableStream that `Duplex.toWeb()` makes closes only when both sides of the Duplex have ended: its `finished()` waits
 * for the writable side too. A chain of web streams that leads back to the Duplex would wait for its own end.
 */
const isNeeded = Number(process.versions.node.split('.', 1)[0]) < 24;

/** The readers that have been seen: what was added after them is not theirs. */
const known = new WeakSet<Listener>();

/**
 * Returns a function that closes the ReadableStream which has just begun to read, as `finished()` would if it waited for the readable side
 * alone; undefined if it is no ReadableStream, or needs no help. The listeners that Node adds are the only way to it, and only their names
 * tell them apart; without them nothing happens but the wait that Node has anyway.
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
