import type { RedisConnection } from './redisClients';

type Listener = (message: Buffer) => void;

interface Channel {
  readonly listeners: Set<Listener>;
  readonly subscribed: Promise<unknown>;
}

/** The subscriptions of a connection: one for each channel, however many listeners it has. */
export class RedisChannels {
  readonly #channels = new Map<string, Channel>();

  /** Resolves, when the server has the subscription, with a function that ends it. */
  async listen(connection: RedisConnection, name: string, listener: Listener): Promise<() => void> {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { listeners: new Set(), subscribed: connection.subscribe(name) };
      this.#channels.set(name, channel);
    }
    const { listeners, subscribed } = channel;
    listeners.add(listener);
    const stop = () => {
      if (!listeners.delete(listener) || listeners.size > 0 || this.#channels.get(name)?.listeners !== listeners)
        return;
      this.#channels.delete(name);
      // If this fails, the connection is lost, and the subscription with it.
      connection.unsubscribe(name).catch(() => {});
    };
    try {
      await subscribed;
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  deliver(name: string, message: Buffer): void {
    for (const listener of this.#channels.get(name)?.listeners ?? []) listener(message);
  }

  /** Forgets all subscriptions, because their connection is lost. */
  clear(): void {
    this.#channels.clear();
  }
}
