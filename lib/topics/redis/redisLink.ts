import { clearTimeout, setTimeout } from 'node:timers';
import { unavailable } from '../calls';
import { openConnection, type RedisClient, type RedisConnection } from './redisClients';

/** The delays between two attempts to connect, in milliseconds. */
const firstDelay = 50;
const longestDelay = 2000;

/** Two connections to the server: one for commands, one for what is published. */
export interface RedisConnections {
  readonly commands: RedisConnection;
  readonly messages: RedisConnection;
}

export interface RedisLinkEvents {
  message(channel: string, message: Buffer): void;
  /** The connections are lost, and with them all subscriptions. */
  lost(error: unknown): void;
}

/**
 * Makes the connections of a driver when they are needed, with the settings of the program's client. Both are replaced when one is lost: only
 * then are subscriptions and commands always those of one server.
 */
export class RedisLink {
  readonly #client: RedisClient;
  readonly #timeout: number;
  readonly #events: RedisLinkEvents;
  #open: Promise<RedisConnections> | undefined;
  #destroy: (() => void) | undefined;
  #delay = 0;
  #closed = false;

  constructor(client: RedisClient, timeout: number, events: RedisLinkEvents) {
    this.#client = client;
    this.#timeout = timeout;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Resolves with the connections. After a failure, the next attempt begins a while later. */
  connections(): Promise<RedisConnections> {
    this.#open ??= this.#connect();
    return this.#open;
  }

  /** Gives up the connections. */
  drop(error: unknown): void {
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#destroy?.();
    this.#destroy = undefined;
    if (!this.#closed) this.#events.lost(error);
  }

  close(): void {
    this.#closed = true;
    this.drop(unavailable('the broker was closed'));
  }

  #connect(): Promise<RedisConnections> {
    const opened: RedisConnection[] = [];
    const attempt = new Promise<RedisConnections>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const fail = (error: unknown) => {
        clearTimeout(timer);
        reject(error);
        if (this.#open !== attempt) return;
        this.#delay = Math.min(longestDelay, Math.max(firstDelay, 2 * this.#delay));
        this.drop(error);
      };
      const open = () => {
        const [commands, isOpen] = openConnection(this.#client, { message: () => {}, lost: fail });
        opened.push(commands);
        const [messages, areOpen] = openConnection(this.#client, { message: this.#events.message, lost: fail });
        opened.push(messages);
        Promise.all([isOpen, areOpen]).then(() => {
          clearTimeout(timer);
          this.#delay = 0;
          resolve({ commands, messages });
        }, fail);
        timer = setTimeout(() => fail(unavailable(`no connection within ${this.#timeout} ms`)), this.#timeout);
      };
      this.#destroy = () => {
        clearTimeout(timer);
        for (const connection of opened) connection.destroy();
        reject(unavailable('the connection to Redis was given up'));
      };
      if (this.#delay === 0) open();
      else timer = setTimeout(open, this.#delay);
    });
    // Who waits for it is told; if nobody does, the next call begins anew.
    attempt.catch(() => {});
    return attempt;
  }
}
