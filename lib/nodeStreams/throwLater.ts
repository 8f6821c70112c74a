/**
 * Calls `work`, and throws its exception in a later tick. If a listener of the program threw inside of `_read()` or
 * `_destroy()`, Node would catch the exception and destroy the stream with it.
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
