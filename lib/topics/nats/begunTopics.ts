/** How many topics are remembered. */
const mostTopics = 50_000;

/** The topics whose logs have begun, so that publishing need not ask first. */
export class BegunTopics {
  readonly #lifetime: number;
  readonly #topics = new Map<string, { readonly begun: Promise<void>; readonly until: number }>();

  /** @param retention how long the stream keeps entries, in milliseconds: a topic that was quiet for longer has to begin again */
  constructor(retention: number) {
    this.#lifetime = retention / 2;
  }

  /** Resolves when the log of the topic has begun. Calls for one topic resolve in their order. */
  ensure(topic: string, begin: () => Promise<void>): Promise<void> {
    const known = this.#topics.get(topic);
    if (known !== undefined && Date.now() < known.until) return known.begun;
    const begun = begin();
    this.#set(topic, begun);
    begun.catch(() => {
      if (this.#topics.get(topic)?.begun === begun) this.#topics.delete(topic);
    });
    return begun;
  }

  /** Remembers that the log of a topic has begun. */
  add(topic: string): void {
    // Messages may wait for the answer to an earlier request.
    if (!this.#topics.has(topic)) this.#set(topic, Promise.resolve());
  }

  #set(topic: string, begun: Promise<void>): void {
    if (this.#topics.size >= mostTopics) this.#topics.clear();
    this.#topics.set(topic, { begun, until: Date.now() + this.#lifetime });
  }

  clear(): void {
    this.#topics.clear();
  }
}
