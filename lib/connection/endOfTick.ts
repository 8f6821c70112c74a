/** Something with bytes that leave at the end of the tick. */
interface Flushable {
  flushScheduled(): void;
}

let waiting: Flushable[] = [];

/** One callback at the end of the tick does for all: a broadcast has thousands of connections. */
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
    // A transport of somebody else's may throw, which is no matter of the other connections.
    if (next < all.length) for (const flushable of all.slice(next)) flushLater(flushable);
  }
}
