import { clearTimeout, setTimeout } from 'node:timers';
import { closeCodes } from '../closeCodes';
import { checkClose } from '../codec/controlFrames';
import type { CloseOutcome } from '../connection/closeHandshake';
import { WebSocketError } from '../errors';
import { checkOptions, defaults } from '../options';
import type { AnyWebSocket } from '../websocket/webSocket';

/** The options of `close()` of the handle that `configureServer()` returns. */
export interface CloseOptions {
  /** The close code for the connections. Default 1001, going away. */
  code?: number;
  /** The close reason for the connections. Default none. */
  reason?: string;
  /** Milliseconds from the call after which connections that have not closed are destroyed. Default 20,000. */
  timeout?: number;
  /**
   * Milliseconds within which each connection is closed at a random time, so that the clients of a large server do not
   * all reconnect at once. At most `timeout`. Default 0.
   */
  spread?: number;
}

/** The result of shutting down a server. */
export interface CloseSummary {
  /** Connections that ended with a complete close handshake. */
  readonly closed: number;
  /** Connections that ended without a complete close handshake, before or at the deadline. */
  readonly dropped: number;
  /** WebSocket requests that were refused during the shutdown. */
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

/** Closes the connections of a server, and destroys those that have not ended at the deadline. */
export class Shutdown {
  #finish: ((summary: CloseSummary) => void) | undefined;
  /** Resolves when all connections have ended. */
  readonly done = new Promise<CloseSummary>((resolve) => {
    this.#finish = resolve;
  });
  readonly #code: number;
  readonly #reason: string;
  readonly #spread: number;
  /** The connections that have not ended, each with the timer for its Close frame if that was delayed. */
  readonly #left = new Map<AnyWebSocket, NodeJS.Timeout | undefined>();
  readonly #deadline: NodeJS.Timeout;
  #deadlinePassed = false;
  #closed = 0;
  #dropped = 0;
  #refused = 0;

  constructor(options: CloseOptions) {
    const { code = closeCodes.goingAway, reason = '', timeout = defaults.closeTimeout, spread = 0 } = options;
    this.#code = code;
    this.#reason = reason;
    this.#spread = spread;
    this.#deadline = setTimeout(() => this.#dropAll(), timeout);
  }

  start(connections: Iterable<AnyWebSocket>): void {
    const all = [...connections];
    for (const webSocket of all) {
      const delay = Math.random() * this.#spread;
      this.#left.set(webSocket, this.#spread === 0 ? undefined : this.#closeAfter(webSocket, delay));
    }
    if (this.#spread === 0) for (const webSocket of all) this.#close(webSocket);
    this.#finishIfAllGone();
  }

  /** Called when a request was refused. */
  countRefusal(): void {
    this.#refused++;
  }

  /** Adds a connection that was accepted during the shutdown. */
  add(webSocket: AnyWebSocket): void {
    // The program has just called connect(), and may write messages in the same turn. The Close frame is sent after
    // them.
    this.#left.set(webSocket, this.#closeAfter(webSocket, 0));
    if (this.#deadlinePassed) webSocket.abort();
  }

  /** Called when a connection has ended. */
  connectionClosed(webSocket: AnyWebSocket, { wasClean }: CloseOutcome): void {
    clearTimeout(this.#left.get(webSocket));
    if (!this.#left.delete(webSocket)) return;
    if (wasClean) this.#closed++;
    else this.#dropped++;
    this.#finishIfAllGone();
  }

  #closeAfter(webSocket: AnyWebSocket, delay: number): NodeJS.Timeout {
    return setTimeout(() => this.#close(webSocket), delay);
  }

  #close(webSocket: AnyWebSocket): void {
    webSocket.close(this.#code, this.#reason);
  }

  #finishIfAllGone(): void {
    if (this.#left.size > 0) return;
    clearTimeout(this.#deadline);
    this.#finish?.({ closed: this.#closed, dropped: this.#dropped, refused: this.#refused });
  }

  #dropAll(): void {
    this.#deadlinePassed = true;
    for (const webSocket of [...this.#left.keys()]) webSocket.abort();
  }
}
