import { clearInterval, setInterval } from 'node:timers';
import { WebSocketError } from '../errors';
import type { SuspendableReading } from './messageRate';

/** A WebSocket whose memory is counted. */
export interface Holder {
  /** @internal */
  readonly _core: {
    readonly readQueue: { readonly cost: number };
    readonly writeQueue: { readonly bufferedAmount: number };
    /** Undefined until the handshake is complete. */
    readonly connection: (SuspendableReading & { readonly partialSize: number }) | undefined;
    /** Destroys the WebSocket with an error that is no mistake of the program. */
    fail(error: WebSocketError): void;
  };
  abort(): void;
}

/** Milliseconds between two looks at the memory. One look at 10,000 connections takes about a millisecond. */
const interval = 100;

/**
 * Looks for which a connection is only paused, and then for which it has time to close. A peer that reads, and whose
 * program does, needs less memory by then.
 */
const patience = 10;

/** Paused connections go on as soon as no more than this part of the budget is in use, or when the budget has been enough for a while. */
const relief = 0.8;

/**
 * Keeps the memory of messages of all connections within a budget. Beyond it, the connections with the most memory stop
 * reading, and if that does not help within a second, they are closed with 1013.
 */
export class MemoryBudget {
  readonly #budget: number;
  readonly #connections: Iterable<Holder>;
  /** The paused connections, each with the number of looks since. */
  readonly #paused = new Map<Holder, number>();
  /** The number of looks in a row that have found the budget enough. */
  #calm = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param budget bytes */
  constructor(budget: number, connections: Iterable<Holder>) {
    this.#budget = budget;
    this.#connections = connections;
  }

  /** Looks from now on. The timer does not keep the process alive. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(), interval).unref();
  }

  /** Stops looking: no connection is left. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Called when a connection has ended. */
  forget(holder: Holder): void {
    this.#paused.delete(holder);
  }

  #look(): void {
    let held = 0;
    for (const holder of this.#connections) held += heldBytes(holder);
    this.#calm = held > this.#budget ? 0 : this.#calm + 1;
    if (this.#calm === 0) this.#relieve(held - this.#budget);
    else if (held <= this.#budget * relief || this.#calm > patience) this.#resumeAll();
  }

  /** @param excess bytes beyond the budget */
  #relieve(excess: number): void {
    const heaviest = [...this.#connections]
      .map((holder) => ({ holder, held: heldBytes(holder) }))
      .filter(({ held }) => held > 0)
      .sort((one, other) => other.held - one.held);
    for (const { holder, held } of heaviest) {
      if (excess <= 0) return;
      excess -= held;
      this.#pauseOrClose(holder, held);
    }
  }

  #pauseOrClose(holder: Holder, held: number): void {
    const looks = this.#paused.get(holder);
    if (looks === undefined) {
      const { connection: reading } = holder._core;
      if (reading === undefined) return;
      reading.suspendReading();
      this.#paused.set(holder, 0);
      return;
    }
    this.#paused.set(holder, looks + 1);
    if (looks === patience) holder._core.fail(exceeded(held, this.#budget));
    // What waits for a peer that does not read is kept until the connection has ended.
    else if (looks >= 2 * patience) holder.abort();
  }

  #resumeAll(): void {
    for (const holder of this.#paused.keys()) holder._core.connection?.resumeReading();
    this.#paused.clear();
  }
}

function exceeded(held: number, budget: number): WebSocketError {
  return new WebSocketError('WS_ERR_MEMORY_BUDGET', `${held} of ${budget} bytes are for this connection`);
}

/** Bytes that this process keeps for messages of a connection: in both queues, and of a message that was received in part. */
function heldBytes({ _core: { readQueue, writeQueue, connection } }: Holder): number {
  return readQueue.cost + writeQueue.bufferedAmount + (connection?.partialSize ?? 0);
}
