/** An estimate of the bytes of memory that a message in a queue takes in addition to its payload. */
export const overhead = 128;

/**
 * Returns an upper limit of the bytes of memory that a queued message keeps alive. A character of a string counts as
 * two bytes. A MessageStream counts as `overhead`, because it has its own high water mark.
 */
export function costOf(message: unknown): number {
  if (typeof message === 'string') return overhead + 2 * message.length;
  return overhead + ((message as Partial<ArrayBufferView> | null)?.byteLength ?? 0);
}
