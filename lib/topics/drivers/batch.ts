/** How many messages are asked for at a time, and about how many bytes. */
const mostMessages = 256;
const mostBytes = 1024 * 1024;

/** The size of messages that is assumed before one was received. */
const assumedSize = 32 * 1024;

/** How many messages a reader asks for: as many as have about a mebibyte, judging by those that it has received. */
export class BatchSize {
  #count = Math.floor(mostBytes / assumedSize);

  get count(): number {
    return this.#count;
  }

  /** @param messages the messages of a batch, of which there is at least one */
  learn(messages: readonly { readonly data: string | Buffer | undefined }[]): void {
    let bytes = 0;
    for (const { data } of messages) bytes += data?.length ?? 0;
    const meanSize = Math.max(1, bytes / messages.length);
    this.#count = Math.max(1, Math.min(mostMessages, Math.floor(mostBytes / meanSize)));
  }
}
