import { EventEmitter, once } from 'node:events';
import { reconnecting, WebSocketError } from '../../../lib/webSocketHandler';

/** A message as a client has received it. */
export interface Received {
  readonly id: string;
  readonly data: string;
}

/** Reads one topic, and connects again and again. The URL says after which message it goes on. */
export class Client {
  readonly topic: string;
  readonly received: Received[] = [];
  /** What it was told to have lost. */
  readonly losses: string[] = [];
  /** How often it was told that it goes on without a gap. */
  resumptions = 0;
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #stopping = new AbortController();
  readonly #seen = new Set<string>();
  readonly #port: number;
  #running: Promise<void> | undefined;

  constructor(port: number, topic: string) {
    this.#port = port;
    this.topic = topic;
  }

  /** Begins to read all messages that are kept, and resolves when it is connected. */
  async start(): Promise<void> {
    const connected = once(this.#events, 'connected');
    this.#running = this.#run();
    await Promise.race([connected, this.#running]);
  }

  /** Resolves when it has received this message. */
  async reached(data: string): Promise<void> {
    if (!this.#seen.has(data)) await once(this.#events, data);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get #url(): string {
    const after = this.received.at(-1)?.id ?? 'start';
    return `ws://127.0.0.1:${this.#port}/${this.topic}?after=${encodeURIComponent(after)}`;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const heartbeat = { interval: 2000, timeout: 5000 };
    const connections = reconnecting(() => this.#url, { signal, initialDelay: 50, maxDelay: 500, heartbeat });
    try {
      for await (const ws of connections) {
        this.#events.emit('connected');
        try {
          for await (const message of ws) this.#take(`${message}`);
        } catch (error) {
          // The next connection goes on after the last message.
          if (!(error instanceof WebSocketError) || signal.aborted) throw error;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #take(message: string): void {
    const [id = '', ...words] = message.split(' ');
    if (id === 'recovered') this.resumptions++;
    else if (id === 'evicted' || id === 'epoch') this.losses.push(message);
    else {
      const data = words.join(' ');
      this.received.push({ id, data });
      this.#seen.add(data);
      this.#events.emit(data);
    }
  }
}
