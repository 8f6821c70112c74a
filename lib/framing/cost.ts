/** What an object in a queue costs beside its bytes. */
export const overhead = 128;

/** Bytes of memory that a queued message keeps alive, at the most. One that is a stream has a mark of its own. */
export function costOf(message: unknown): number {
  if (typeof message === 'string') return overhead + 2 * message.length;
  return overhead + ((message as Partial<ArrayBufferView> | null)?.byteLength ?? 0);
}
