import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type BroadcastFilter, type BroadcastMessage, broadcast } from '../broadcast/broadcast';
import type { CloseOutcome } from '../connection/closeHandshake';
import type { HttpRequest } from '../contracts';
import { WebSocketError } from '../errors';
import { Admission, type Place } from '../limits/admission';
import { MemoryBudget } from '../limits/memoryBudget';
import { defaults, type ServerOptions, type UpgradeOptions } from '../options';
import {
  addHandler,
  type ExchangeHandler,
  exchangeUpgrade,
  type HttpServer,
  removeHandler,
} from '../transports/dispatcher';
import type { Exchange } from '../transports/exchange';
import { ServerSessions } from '../transports/serverSessions';
import { isWebSocketRequest } from '../transports/webSocketRequest';
import type { AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { negotiate } from './negotiation';
import { checkServer, checkServerOptions, checkUpgradeOptions } from './serverArguments';
import { type ServerCounters, ServerTotals } from './serverCounters';
import { type OpeningOwner, ServerOpening } from './serverOpening';
import { type CloseOptions, type CloseSummary, checkCloseOptions, Shutdown } from './shutdown';

declare module 'node:http' {
  interface ServerResponse {
    /**
     * Defined on the response to a WebSocket request: `connect()` accepts the request; any ordinary response refuses
     * it.
     */
    webSocket?: WebSocket;
  }
}

declare module 'node:http2' {
  interface Http2ServerResponse {
    /**
     * Defined on the response to a WebSocket request: `connect()` accepts the request; any ordinary response refuses
     * it.
     */
    webSocket?: WebSocket;
  }
}

/** The handle that `configureServer()` returns: the WebSockets of one HTTP server. */
export interface WebSocketServer {
  /** The open connections. A connection that ends is removed from the set. */
  readonly connections: ReadonlySet<AnyWebSocket>;
  /** The sums over all connections so far, open and ended. */
  readonly counters: ServerCounters;
  /**
   * Writes one message to every open connection, or to those for which the filter returns true, and returns their
   * number. It leaves out connections that are closing and, if the message is binary, those whose version has no binary
   * messages.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_INVALID_UTF8
   */
  broadcast(message: BroadcastMessage, filter?: BroadcastFilter): number;
  /**
   * Refuses new connections with 503, closes the open connections after the messages that were written to them, and
   * resolves when all have ended. The library has then removed everything that it had added to the HTTP server. A
   * second call returns the promise of the first.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(options?: CloseOptions): Promise<CloseSummary>;
  /** Calls `close()` without options, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the WebSocket requests of an HTTP server ordinary requests: each goes through the server's own 'request'
 * listeners, with `res.webSocket` to accept it. Upgrades to other protocols go to other 'upgrade' listeners or, if
 * there are none, to the application as ordinary requests.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function configureServer(server: HttpServer, options: ServerOptions = {}): WebSocketServer {
  checkServer(server);
  checkServerOptions(options);
  const handle = new ServerHandle(server, options);
  addHandler(server, handle);
  return handle;
}

/**
 * Does for one upgrade request what `configureServer()` does for all, for programs that have their own 'upgrade'
 * listener. If the request does not ask for a WebSocket, does nothing and returns false.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function handleHttpUpgrade(
  server: HttpServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: UpgradeOptions = {},
): boolean {
  checkServer(server);
  checkUpgradeOptions(options);
  if (!isOurs(request, options)) return false;
  const timeout = options.handshakeTimeout ?? defaults.handshakeTimeout;
  exchangeUpgrade(
    { request, socket, head },
    { timeout, handle: (exchange) => offerWebSocket(server, exchange, options) },
  );
  return true;
}

class ServerHandle implements WebSocketServer, ExchangeHandler, OpeningOwner {
  readonly connections = new Set<AnyWebSocket>();
  readonly #totals = new ServerTotals();
  readonly #server: HttpServer;
  readonly #options: ServerOptions;
  readonly #sessions = new ServerSessions();
  readonly #admission: Admission | undefined;
  /** The places of the open connections, if the program limits their number. */
  readonly #places = new Map<AnyWebSocket, Place>();
  readonly #budget: MemoryBudget | undefined;
  #shutdown: Shutdown | undefined;

  constructor(server: HttpServer, options: ServerOptions) {
    this.#server = server;
    this.#options = options;
    const { maxConnections, maxConnectionsPerAddress, memoryBudget = Number.POSITIVE_INFINITY } = options;
    if (maxConnections !== undefined || maxConnectionsPerAddress !== undefined)
      this.#admission = new Admission(options);
    if (memoryBudget < Number.POSITIVE_INFINITY) this.#budget = new MemoryBudget(memoryBudget, this.connections);
  }

  get timeout(): number {
    return this.#options.handshakeTimeout ?? defaults.handshakeTimeout;
  }

  get takesAll(): boolean {
    return this.#options.filter === undefined;
  }

  get isClosing(): boolean {
    return this.#shutdown !== undefined;
  }

  takes(request: HttpRequest): boolean {
    return isOurs(request, this.#options);
  }

  get counters(): ServerCounters {
    return this.#totals.counters(this.connections);
  }

  handle(exchange: Exchange): void {
    offerWebSocket(this.#server, exchange, this.#options, this);
  }

  broadcast(message: BroadcastMessage, filter?: BroadcastFilter): number {
    return broadcast(this.connections, message, filter);
  }

  close(options: CloseOptions = {}): Promise<CloseSummary> {
    checkCloseOptions(options);
    this.#shutdown ??= this.#startShutdown(options);
    return this.#shutdown.done;
  }

  #startShutdown(options: CloseOptions): Shutdown {
    const shutdown = new Shutdown(options);
    this.#shutdown = shutdown;
    void shutdown.done.then(() => {
      removeHandler(this.#server, this);
      this.#sessions.closeAll();
    });
    shutdown.start(this.connections);
    return shutdown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Takes a place for a request. Returns undefined if the number of connections is not limited.
   * @throws WebSocketError with a 503 or a 429
   */
  admit(request: HttpRequest): Place | undefined {
    if (this.#shutdown === undefined) return this.#admission?.admit(request);
    this.#shutdown.countRefusal();
    throw new WebSocketError('WS_ERR_SHUTTING_DOWN', undefined, { statusCode: 503, headers: { 'Retry-After': '1' } });
  }

  countRefusal(): void {
    this.#totals.refused();
  }

  add(webSocket: WebSocket, { session }: Exchange, place: Place | undefined): void {
    this.connections.add(webSocket);
    if (place !== undefined) this.#places.set(webSocket, place);
    if (session !== undefined) this.#sessions.add(session);
    this.#totals.opened();
    this.#budget?.start();
    this.#shutdown?.add(webSocket);
  }

  /** Called when a connection has ended. */
  readonly closed = (webSocket: AnyWebSocket, outcome: CloseOutcome) => {
    this.connections.delete(webSocket);
    this.#totals.closed(webSocket, outcome);
    this.#places.get(webSocket)?.release();
    this.#places.delete(webSocket);
    this.#budget?.forget(webSocket);
    if (this.connections.size === 0) this.#budget?.stop();
    this.#shutdown?.connectionClosed(webSocket, outcome);
  };
}

/** Emits an opening request as an ordinary request, with a WebSocket on its response. */
function offerWebSocket(server: HttpServer, exchange: Exchange, options: ServerOptions, owner?: ServerHandle): void {
  const { request, response } = exchange;
  let place: Place | undefined;
  try {
    place = owner?.admit(request);
    exchange.check();
    const offer = negotiate(exchange, options);
    exchange.prepare(offer);
    response.webSocket = new ServerOpening({ exchange, offer, options, owner, place }).webSocket;
  } catch (error) {
    place?.release();
    owner?.countRefusal();
    if (error instanceof WebSocketError) return exchange.refuse(error);
    // A function of the options, such as origins, has thrown, which is a mistake of the program.
    exchange.answer(500, '');
    throw error;
  }
  // If the server has no 'request' listener, answer as an application without a route does.
  if (!server.emit('request', request, response)) exchange.answer(404, '');
}

function isOurs(request: HttpRequest, { filter }: UpgradeOptions): boolean {
  return isWebSocketRequest(request) && (filter === undefined || filter(request) === true);
}
