/**
 * Does the work, and throws its exception when the calls in progress have returned. Inside of `_read()` and `_destroy()` Node catches what
 * a listener of the program throws, and destroys the stream with it.
 */
export function throwLater(work: () => void): void {
  try {
    work();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
