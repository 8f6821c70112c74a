import { closeCodes } from '../closeCodes';
import { checkClose } from '../codec/controlFrames';
import type { CloseOutcome } from '../connection/closeHandshake';
import { WebSocketError } from '../errors';
import { checkOptions, defaults } from '../options';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';

export interface CloseOptions {
  /** The close code for the connections. Default 1001, going away. */
  code?: number;
  /** Default none. */
  reason?: string;
  /** Milliseconds from the call until connections that have not closed are dropped. Default 20,000. */
  timeout?: number;
  /**
   * Milliseconds over which the closes are spread, each connection at a random moment, so that the clients of a large server do
   * not all come back at once. At most `timeout`. Default 0.
   */
  spread?: number;
}

/** What became of the connections of a server that has shut down. */
export interface CloseSummary {
  /** Connections on which both sides said goodbye. */
  readonly closed: number;
  /** Connections that did not close in time, or broke before they had. */
  readonly dropped: number;
  /** Requests that were refused meanwhile. */
  readonly refused: number;
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkCloseOptions(options: CloseOptions): void {
  checkOptions(options, 'code', 'reason', 'timeout', 'spread');
  const { code = closeCodes.goingAway, reason = '', timeout = defaults.closeTimeout, spread = 0 } = options;
  checkClose(code, reason);
  if (spread <= timeout) return;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `option spread must be at most timeout, ${timeout}, not ${spread}`,
  );
}

/** The end of a server's connections: each is closed, and dropped if that has not come to its end by the deadline. */
export class Shutdown {
  #finish: ((summary: CloseSummary) => void) | undefined;
  /** When all connections are gone. */
  readonly done = new Promise<CloseSummary>((resolve) => {
    this.#finish = resolve;
  });
  readonly #code: number;
  readonly #reason: string;
  readonly #left = new Set<AnyWebSocket>();
  readonly #deadline: NodeJS.Timeout;
  #deadlinePassed = false;
  #closed = 0;
  #dropped = 0;
  #refused = 0;

  constructor(connections: Iterable<AnyWebSocket>, options: CloseOptions) {
    const { code = closeCodes.goingAway, reason = '', timeout = defaults.closeTimeout, spread = 0 } = options;
    this.#code = code;
    this.#reason = reason;
    this.#deadline = setTimeout(() => this.#dropAll(), timeout);
    for (const webSocket of connections) {
      if (spread === 0) this.#close(webSocket);
      this.#await(webSocket, spread === 0 ? undefined : this.#closeAfter(webSocket, Math.random() * spread));
    }
    this.#finishIfAllGone();
  }

  /** A request has been refused. */
  countRefusal(): void {
    this.#refused++;
  }

  /** Takes in a connection that has been accepted meanwhile. */
  add(webSocket: AnyWebSocket): void {
    if (this.#deadlinePassed) webSocket.abort();
    // The program has it in hand at this moment, and may have something to say.
    this.#await(webSocket, this.#closeAfter(webSocket, 0));
  }

  #await(webSocket: AnyWebSocket, timer: NodeJS.Timeout | undefined): void {
    this.#left.add(webSocket);
    void webSocket.closed.then(({ wasClean }: CloseOutcome) => {
      clearTimeout(timer);
      this.#left.delete(webSocket);
      if (wasClean) this.#closed++;
      else this.#dropped++;
      this.#finishIfAllGone();
    });
  }

  #closeAfter(webSocket: AnyWebSocket, delay: number): NodeJS.Timeout {
    return setTimeout(() => this.#close(webSocket), delay);
  }

  #close(webSocket: AnyWebSocket): void {
    WebSocket.closeUnasked(webSocket, this.#code, this.#reason);
  }

  #finishIfAllGone(): void {
    if (this.#left.size > 0) return;
    clearTimeout(this.#deadline);
    this.#finish?.({ closed: this.#closed, dropped: this.#dropped, refused: this.#refused });
  }

  #dropAll(): void {
    this.#deadlinePassed = true;
    for (const webSocket of this.#left) webSocket.abort();
  }
}
