import type { CloseOutcome } from '../connection/closeHandshake';
import { addCounters, type ConnectionCounters, noCounters } from '../framing/counters';
import type { AnyWebSocket } from '../websocket/webSocket';

/** What has happened on all connections of a server so far. */
export interface ServerCounters extends ConnectionCounters {
  /** Connections that were accepted. */
  readonly opened: number;
  /** Requests for a WebSocket that were answered otherwise, by the application or by the library. */
  readonly refused: number;
  /** How many connections have ended with each close code, as `closed` tells it. */
  readonly closed: Readonly<Record<number, number>>;
}

/** Adds up the counters of connections, also when they are gone. */
export class ServerTotals {
  #opened = 0;
  #refused = 0;
  readonly #closed: Record<number, number> = {};
  #ofThoseGone = noCounters;

  opened(): void {
    this.#opened++;
  }

  closed(webSocket: AnyWebSocket, { code }: CloseOutcome): void {
    this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    this.#ofThoseGone = addCounters(this.#ofThoseGone, webSocket.counters);
  }

  refused(): void {
    this.#refused++;
  }

  /** @param open the connections that are not gone */
  counters(open: Iterable<AnyWebSocket>): ServerCounters {
    let sum = this.#ofThoseGone;
    for (const webSocket of open) sum = addCounters(sum, webSocket.counters);
    return { ...sum, opened: this.#opened, refused: this.#refused, closed: { ...this.#closed } };
  }
}
