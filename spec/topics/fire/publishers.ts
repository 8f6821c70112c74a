import type { Topics } from '../../../lib/topics';

/** Milliseconds between two messages of a topic, if the broker keeps up. */
const pause = 50;

/** Publishes numbered messages to topics, one after the other in each of them, until it is stopped. */
export class Publishers {
  /** The ids of the messages that the broker has acknowledged, by topic. */
  readonly acknowledged: ReadonlyMap<string, Map<string, string>>;
  readonly #topics: Topics;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(topics: Topics, names: readonly string[]) {
    this.#topics = topics;
    this.acknowledged = new Map(names.map((name) => [name, new Map<string, string>()]));
    this.#running = Promise.all(names.map((name) => this.#run(name)));
  }

  /** Publishes one more message to all topics, in between. */
  async publishToAll(data: string): Promise<void> {
    await Promise.all([...this.acknowledged.keys()].map((name) => this.#publish(name, data)));
  }

  /** Rejects if a message could not be published. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(name: string): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      // The load is to be the same on machines of all speeds.
      const paused = new Promise((resolve) => setTimeout(resolve, pause));
      await this.#publish(name, `${i}`);
      await paused;
    }
  }

  async #publish(name: string, data: string): Promise<void> {
    const id = await this.#topics.topic(name).publish(data);
    this.acknowledged.get(name)?.set(data, id);
  }
}
