/** Bytes of memory that a message in a queue takes beside its payload: an estimate. */
export const overhead = 128;

/**
 * Returns the bytes of memory that a queued message keeps alive, at the most: two for each character of a string. A MessageStream counts as
 * `overhead`, since it has a high water mark of its own.
 */
export function costOf(message: unknown): number {
  if (typeof message === 'string') return overhead + 2 * message.length;
  return overhead + ((message as Partial<ArrayBufferView> | null)?.byteLength ?? 0);
}
