import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects all objects that nothing refers to. */
export const collect = runInNewContext('gc') as () => void;

/**
 * Bytes that are still referred to, on the heap and in buffers. Buffers are freed by another thread, and some only after what
 * referred to them, so the figure counts when it has stopped falling.
 */
export async function retainedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0; unchanged < 5; unchanged++) {
    collect();
    await nextTurn();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const retained = heapUsed + arrayBuffers;
    if (retained < least - 1024) unchanged = 0;
    least = Math.min(least, retained);
  }
  return least;
}

/** Resolves when nothing refers to the object any more. */
export async function forgotten(reference: WeakRef<object>): Promise<void> {
  while (reference.deref() !== undefined) {
    await nextTurn();
    collect();
  }
}
