/** An object whose encoded bytes are written at the end of the tick. */
interface Flushable {
  flushScheduled(): void;
}

let waiting: Flushable[] = [];

/**
 * Calls `flushScheduled()` at the end of the tick. All connections share one nextTick(), because a broadcast writes to
 * thousands of them.
 */
export function flushLater(flushable: Flushable): void {
  if (waiting.push(flushable) === 1) process.nextTick(flushAll);
}

function flushAll(): void {
  const all = waiting;
  waiting = [];
  let next = 0;
  try {
    while (next < all.length) (all[next++] as Flushable).flushScheduled();
  } finally {
    // A byte stream that is not Node's own may throw in write(). The other connections must still be flushed.
    if (next < all.length) for (const flushable of all.slice(next)) flushLater(flushable);
  }
}
