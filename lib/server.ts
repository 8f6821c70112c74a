import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { draftFor } from './drafts';
import { WebSocketError } from './errors';
import { isWebSocketRequest, negotiate } from './negotiation';
import { checkOptions, connectionOptionNames, defaults, type ServerOptions } from './options';
import { type BroadcastFilter, type BroadcastMessage, broadcast } from './streams/broadcast';
import { type ServerCounters, ServerTotals } from './streams/serverCounters';
import { type CloseOptions, type CloseSummary, checkCloseOptions, Shutdown } from './streams/shutdown';
import { type AnyWebSocket, WebSocket } from './streams/webSocket';
import {
  afterEarlierResponses,
  checkUpgradeRequest,
  returnToHttp,
  type Upgrade,
  UpgradeExchange,
} from './transports/http1';

declare module 'node:http' {
  interface ServerResponse {
    /** There on the response to a WebSocket request: `connect()` accepts it; any ordinary response refuses it. */
    webSocket?: WebSocket;
  }
}

/** What is used of an HTTP server, plain or secure. */
export interface HttpServer extends Pick<Server, 'on' | 'emit' | 'listenerCount'> {
  /** Newer versions of Node ask it whether an upgrade goes to 'upgrade' or, as if none were asked for, to 'request'. */
  shouldUpgradeCallback?(request: IncomingMessage): boolean;
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
  const handle = new ServerHandle(options);
  const dispatcher = dispatchers.get(server) ?? new UpgradeDispatcher(server);
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
  handleUpgrade(server, { request, socket, head }, options);
  return true;
}

/** The one 'upgrade' listener of a server, whatever number of times it has been configured. */
class UpgradeDispatcher {
  readonly #server: HttpServer;
  readonly #handles: ServerHandle[] = [];

  constructor(server: HttpServer) {
    this.#server = server;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#dispatch({ request, socket, head });
    });
    const { shouldUpgradeCallback } = server;
    if (shouldUpgradeCallback === undefined) return;
    server.shouldUpgradeCallback = (request) => this.#concerns(request) && shouldUpgradeCallback.call(server, request);
  }

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT if nothing is left for the new one */
  add(handle: ServerHandle): void {
    if (this.#handles.some(({ takesAll }) => takesAll)) {
      const detail = 'the server is configured already; with the option filter several can share it';
      throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
    }
    this.#handles.push(handle);
  }

  /** Whether an upgrade is for us, or for another listener. */
  #concerns(request: IncomingMessage): boolean {
    return this.#handles.some((handle) => handle.takes(request)) || this.#server.listenerCount('upgrade') > 1;
  }

  #dispatch(upgrade: Upgrade): void {
    const handle = this.#handles.find((candidate) => candidate.takes(upgrade.request));
    if (handle !== undefined) return handle.handle(this.#server, upgrade);
    const { socket } = upgrade;
    // Whoever it is for, or nobody: Node has taken its own listener away, and a reset would end the process.
    if (this.#server.listenerCount('upgrade') > 1) socket.on('error', ignore);
    else afterEarlierResponses(socket, () => returnToHttp(this.#server, upgrade));
  }
}

const dispatchers = new WeakMap<HttpServer, UpgradeDispatcher>();

class ServerHandle implements WebSocketServer {
  readonly connections = new Set<AnyWebSocket>();
  readonly #totals = new ServerTotals();
  readonly #options: ServerOptions;
  #shutdown: Shutdown | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get takesAll(): boolean {
    return this.#options.filter === undefined;
  }

  takes(request: IncomingMessage): boolean {
    return isOurs(request, this.#options);
  }

  get counters(): ServerCounters {
    return this.#totals.counters(this.connections);
  }

  handle(server: HttpServer, upgrade: Upgrade): void {
    handleUpgrade(server, upgrade, this.#options, this);
  }

  broadcast(message: BroadcastMessage, filter?: BroadcastFilter): number {
    return broadcast(this.connections, message, filter);
  }

  close(options: CloseOptions = {}): Promise<CloseSummary> {
    checkCloseOptions(options);
    this.#shutdown ??= new Shutdown(this.connections, options);
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

  add(webSocket: WebSocket): void {
    this.connections.add(webSocket);
    this.#totals.opened(webSocket);
    void webSocket.closed.then(() => this.connections.delete(webSocket));
    this.#shutdown?.add(webSocket);
  }
}

function handleUpgrade(server: HttpServer, upgrade: Upgrade, options: ServerOptions, handle?: ServerHandle): void {
  const { request, socket } = upgrade;
  afterEarlierResponses(socket, () => {
    const exchange = new UpgradeExchange(upgrade, options.handshakeTimeout ?? defaults.handshakeTimeout);
    try {
      handle?.checkOpen();
      checkUpgradeRequest(request);
      const opening = exchange.opening(negotiate(request, options));
      const webSocket: WebSocket = new WebSocket({
        role: 'server',
        options,
        opening: {
          ...opening,
          accept(acceptance, opened) {
            opening.accept(acceptance, opened);
            handle?.add(webSocket);
          },
        },
      });
      exchange.response.webSocket = webSocket;
      exchange.onUnaccepted((how) => {
        if (how.refused) handle?.countRefusal();
        WebSocket.unanswered(webSocket, how);
      });
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      handle?.countRefusal();
      return exchange.refuse(error);
    }
    deliver(server, request, exchange.response);
  });
}

/** A server without an application answers as an application without a route would. */
function deliver(server: HttpServer, request: IncomingMessage, response: ServerResponse): void {
  if (!server.emit('request', request, response)) response.writeHead(404).end();
}

function isOurs(request: IncomingMessage, { filter }: ServerOptions): boolean {
  return isWebSocketRequest(request) && (filter === undefined || filter(request) === true);
}

function checkServer(server: HttpServer): void {
  if (typeof server?.on === 'function' && typeof server.emit === 'function') return;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'the first argument must be an http or https server');
}

function checkServerOptions(options: ServerOptions): void {
  checkOptions(options, 'versions', 'handshakeTimeout', 'origins', 'filter', ...connectionOptionNames);
  for (const version of options.versions ?? []) draftFor(version);
}

function ignore(): void {}
