import type { CloseOutcome } from '../connection/closeHandshake';
import { addCounters, type ConnectionCounters, noCounters } from '../framing/counters';
import type { AnyWebSocket } from '../websocket/webSocket';

/** The sums over all connections of a server so far, open and ended. */
export interface ServerCounters extends ConnectionCounters {
  /** Connections that were accepted. */
  readonly opened: number;
  /** WebSocket requests that got an ordinary response, from the application or from the library. */
  readonly refused: number;
  /** The number of connections that have ended with each close code. */
  readonly closed: Readonly<Record<number, number>>;
}

/** Adds up the counters of connections, and keeps those of connections that have ended. */
export class ServerTotals {
  #opened = 0;
  #refused = 0;
  readonly #closed: Record<number, number> = {};
  #ofEnded = noCounters;

  opened(): void {
    this.#opened++;
  }

  closed(webSocket: AnyWebSocket, { code }: CloseOutcome): void {
    this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    this.#ofEnded = addCounters(this.#ofEnded, webSocket.counters);
  }

  refused(): void {
    this.#refused++;
  }

  /** @param open the connections that have not ended */
  counters(open: Iterable<AnyWebSocket>): ServerCounters {
    let sum = this.#ofEnded;
    for (const webSocket of open) sum = addCounters(sum, webSocket.counters);
    return { ...sum, opened: this.#opened, refused: this.#refused, closed: { ...this.#closed } };
  }
}
