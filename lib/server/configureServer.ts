import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type BroadcastFilter, type BroadcastMessage, broadcast } from '../broadcast/broadcast';
import { checkHeaders } from '../codec/headers';
import type { CloseOutcome } from '../connection/closeHandshake';
import type { HttpRequest } from '../contracts';
import { WebSocketError } from '../errors';
import { checkOptions, connectionOptionNames, defaults, type ServerOptions } from '../options';
import { Dispatcher, type ExchangeHandler, exchangeUpgrade, type HttpServer } from '../transports/dispatcher';
import type { Exchange } from '../transports/exchange';
import { protocolVersion } from '../versions';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { isWebSocketRequest, negotiate } from './negotiation';
import { type ServerCounters, ServerTotals } from './serverCounters';
import { type CloseOptions, type CloseSummary, checkCloseOptions, Shutdown } from './shutdown';

declare module 'node:http' {
  interface ServerResponse {
    /** There on the response to a WebSocket request: `connect()` accepts it; any ordinary response refuses it. */
    webSocket?: WebSocket;
  }
}

declare module 'node:http2' {
  interface Http2ServerResponse {
    /** There on the response to a WebSocket request: `connect()` accepts it; any ordinary response refuses it. */
    webSocket?: WebSocket;
  }
}

/** What `configureServer()` returns: the WebSockets of one HTTP server. */
export interface WebSocketServer {
  /** The open connections, live. */
  readonly connections: ReadonlySet<AnyWebSocket>;
  /** What has happened on all connections so far, those that are gone too. */
  readonly counters: ServerCounters;
  /**
   * Writes one message to every open connection, or those of which the filter says true, and returns to how many. Left out are
   * connections that are closing, and those whose version has no binary messages if it is one.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_INVALID_UTF8
   */
  broadcast(message: BroadcastMessage, filter?: BroadcastFilter): number;
  /**
   * Refuses new connections with 503, closes the open ones after what was written to them, and resolves when all are gone. A
   * second call returns the promise of the first.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(options?: CloseOptions): Promise<CloseSummary>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes an HTTP server's WebSocket requests ordinary requests: each goes through the server's own 'request' listeners, with
 * `res.webSocket` to accept it. Upgrades to other protocols are left to other 'upgrade' listeners, or, if there are none, to
 * the application as plain requests.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function configureServer(server: HttpServer, options: ServerOptions = {}): WebSocketServer {
  checkServer(server);
  checkServerOptions(options);
  const handle = new ServerHandle(server, options);
  const dispatcher = dispatchers.get(server) ?? new Dispatcher(server);
  dispatchers.set(server, dispatcher);
  dispatcher.add(handle);
  return handle;
}

/**
 * Does for one upgrade what `configureServer()` does for all, for programs that have an 'upgrade' listener of their own.
 * Returns false, and has touched nothing, if the request does not ask for a WebSocket.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function handleHttpUpgrade(
  server: HttpServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ServerOptions = {},
): boolean {
  checkServer(server);
  checkServerOptions(options);
  if (!isOurs(request, options)) return false;
  const timeout = options.handshakeTimeout ?? defaults.handshakeTimeout;
  exchangeUpgrade(
    { request, socket, head },
    { timeout, handle: (exchange) => offerWebSocket(server, exchange, options) },
  );
  return true;
}

const dispatchers = new WeakMap<HttpServer, Dispatcher>();

class ServerHandle implements WebSocketServer, ExchangeHandler {
  readonly connections = new Set<AnyWebSocket>();
  readonly #totals = new ServerTotals();
  readonly #server: HttpServer;
  readonly #options: ServerOptions;
  /** The HTTP/2 sessions that have had connections. */
  readonly #sessions = new Set<ServerHttp2Session>();
  #shutdown: Shutdown | undefined;

  constructor(server: HttpServer, options: ServerOptions) {
    this.#server = server;
    this.#options = options;
  }

  get timeout(): number {
    return this.#options.handshakeTimeout ?? defaults.handshakeTimeout;
  }

  get takesAll(): boolean {
    return this.#options.filter === undefined;
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
    if (this.#shutdown === undefined) {
      this.#shutdown = new Shutdown(this.connections, options);
      // A session stays open for further requests, and would keep the server from closing: GOAWAY (RFC 9113 §6.8).
      void this.#shutdown.done.then(() => this.#sessions.forEach((session) => void session.close()));
    }
    return this.#shutdown.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @throws WebSocketError with a 503 */
  checkOpen(): void {
    if (this.#shutdown === undefined) return;
    this.#shutdown.countRefusal();
    throw new WebSocketError('WS_ERR_SHUTTING_DOWN', undefined, { statusCode: 503, headers: { 'Retry-After': '1' } });
  }

  countRefusal(): void {
    this.#totals.refused();
  }

  add(webSocket: WebSocket, { session }: Exchange): void {
    this.connections.add(webSocket);
    if (session !== undefined && !this.#sessions.has(session)) {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    }
    this.#totals.opened();
    WebSocket.whenClosed(webSocket, this.#closed);
    this.#shutdown?.add(webSocket);
  }

  readonly #closed = (outcome: CloseOutcome, webSocket: WebSocket) => {
    this.connections.delete(webSocket);
    this.#totals.closed(webSocket, outcome);
  };
}

/** Offers an opening request to the application: as an ordinary request, with a WebSocket on its response. */
function offerWebSocket(server: HttpServer, exchange: Exchange, options: ServerOptions, handle?: ServerHandle): void {
  const { request, response } = exchange;
  try {
    handle?.checkOpen();
    exchange.check();
    const opening = exchange.opening(negotiate(exchange, options));
    const webSocket: WebSocket = new WebSocket({
      role: 'server',
      options,
      opening: {
        ...opening,
        accept(acceptance, opened) {
          checkHeaders(acceptance.headers);
          opening.accept(acceptance, opened);
          handle?.add(webSocket, exchange);
        },
      },
    });
    response.webSocket = webSocket;
    exchange.onUnaccepted((how) => {
      if (how.refused) handle?.countRefusal();
      WebSocket.unanswered(webSocket, how);
    });
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    handle?.countRefusal();
    return exchange.refuse(error);
  }
  // A server without an application answers as an application without a route would.
  if (!server.emit('request', request, response)) response.writeHead(404, { 'Content-Length': 0 }).end();
}

function isOurs(request: HttpRequest, { filter }: ServerOptions): boolean {
  return isWebSocketRequest(request) && (filter === undefined || filter(request) === true);
}

function checkServer(server: HttpServer): void {
  if (typeof server?.on === 'function' && typeof server.emit === 'function') return;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'the first argument must be an http, https or http2 server');
}

function checkServerOptions(options: ServerOptions): void {
  checkOptions(options, 'versions', 'handshakeTimeout', 'origins', 'filter', ...connectionOptionNames);
  for (const version of options.versions ?? []) protocolVersion(version);
}
