import type { NatsConnection } from '@nats-io/transport-node';
import type { WebSocketError } from '../../errors';
import { unavailable } from '../calls';
import { toBrokerError } from './natsErrors';

/** The program's connection, as the driver sees it: usable, or not at the moment. */
export class NatsLink {
  readonly #lost: (error: WebSocketError) => void;
  #connection: NatsConnection | undefined;
  #failure: WebSocketError | undefined;
  #usable = false;
  #waiting: { resolve: (connection: NatsConnection) => void; reject: (error: WebSocketError) => void }[] = [];
  #stopEvents: (() => void) | undefined;
  #closed = false;

  /** @param lost called when the connection is lost */
  constructor(connection: NatsConnection | Promise<NatsConnection>, lost: (error: WebSocketError) => void) {
    this.#lost = lost;
    // An await would leave a connection that is there already unused for a turn.
    if (connection instanceof Promise)
      connection.then(
        (open) => this.#use(open),
        (error: unknown) => this.#fail(toBrokerError(error)),
      );
    else this.#use(connection);
  }

  /** The largest payload that the server takes, headers included; undefined before the first contact. */
  get maxPayload(): number | undefined {
    return this.#connection?.info?.max_payload;
  }

  /** Resolves as soon as the connection can be used. */
  connected(): Promise<NatsConnection> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const connection = this.#connection;
    if (this.#usable && connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Leaves the connection to the program. */
  close(): void {
    this.#closed = true;
    this.#stopEvents?.();
    this.#waiting = [];
  }

  #use(connection: NatsConnection): void {
    if (this.#closed) return;
    this.#connection = connection;
    if (connection.isClosed()) {
      this.#fail(closedByProgram());
      return;
    }
    void this.#watch(connection);
    this.#back(connection);
  }

  async #watch(connection: NatsConnection): Promise<void> {
    const events = connection.status();
    // The iterator of the client has stop(), which its type does not tell; without it, return() would wait for the next event.
    this.#stopEvents = () => (events as unknown as { stop(): void }).stop();
    for await (const { type } of events) {
      if (type === 'disconnect' || type === 'staleConnection') {
        this.#usable = false;
        this.#lost(unavailable('the connection to NATS was lost'));
      } else if (type === 'reconnect') this.#back(connection);
    }
    if (!this.#closed) this.#fail(closedByProgram());
  }

  #back(connection: NatsConnection): void {
    this.#usable = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve(connection);
  }

  #fail(error: WebSocketError): void {
    if (this.#closed) return;
    this.#usable = false;
    this.#failure = error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
    this.#lost(error);
  }
}

function closedByProgram(): WebSocketError {
  return unavailable(
    'the connection to NATS was closed, or has given up; connect() with maxReconnectAttempts: -1 goes on',
  );
}
