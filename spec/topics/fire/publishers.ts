import type { Topics } from '../../../lib/topics';

/** Milliseconds between two messages of a topic with 200 clients, if the broker keeps up. */
const usualPause = 50;

/** Publishes numbered messages to topics, one after the other in each of them, until it is stopped. */
export class Publishers {
  /** The ids of the messages that the broker has acknowledged, by topic. */
  readonly acknowledged: ReadonlyMap<string, Map<string, string>>;
  readonly #topics: Topics;
  readonly #pause: number;
  readonly #running: Promise<unknown>;
  #stopped = false;

  /** @param scale the load grows with the root of the clients, because two cores do all the work */
  constructor(topics: Topics, names: readonly string[], scale: number) {
    this.#topics = topics;
    this.#pause = usualPause * Math.sqrt(scale);
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
      const paused = new Promise((resolve) => setTimeout(resolve, this.#pause));
      await this.#publish(name, `${i}`);
      await paused;
    }
  }

  async #publish(name: string, data: string): Promise<void> {
    const id = await this.#topics.topic(name).publish(data);
    this.acknowledged.get(name)?.set(data, id);
  }
}
