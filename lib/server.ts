import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { closeCodes } from './closeCodes';
import { checkClose } from './codec/controlFrames';
import { draftFor } from './drafts';
import { WebSocketError } from './errors';
import { isWebSocketRequest, negotiate } from './negotiation';
import { checkOptions, defaults, type ServerOptions } from './options';
import { WebSocket } from './streams/webSocket';
import { afterEarlierResponses, checkUpgradeRequest, returnToHttp, UpgradeExchange } from './transports/http1';

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

export interface CloseOptions {
  /** The close code for the connections. Default 1001, going away. */
  code?: number;
  reason?: string;
  /** Milliseconds until connections that have not closed are dropped. Default 20,000. */
  timeout?: number;
}

/** What `configureServer()` returns: the WebSockets of one HTTP server. */
export interface WebSocketServer {
  /** The open connections, live. */
  readonly connections: ReadonlySet<WebSocket>;
  /** Refuses new connections with 503, closes the open ones, and resolves when all are gone. */
  close(options?: CloseOptions): Promise<void>;
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
  return new ServerHandle(server, options);
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
  handleUpgrade(server, request, socket, head, options);
  return true;
}

class ServerHandle implements WebSocketServer {
  readonly connections = new Set<WebSocket>();
  readonly #server: HttpServer;
  readonly #options: ServerOptions;
  #closing: Promise<void> | undefined;

  constructor(server: HttpServer, options: ServerOptions) {
    this.#server = server;
    this.#options = options;
    server.on('upgrade', this.#onUpgrade);
    const { shouldUpgradeCallback } = server;
    if (shouldUpgradeCallback === undefined) return;
    server.shouldUpgradeCallback = (request) => this.#concerns(request) && shouldUpgradeCallback.call(server, request);
  }

  close(options: CloseOptions = {}): Promise<void> {
    const { code = closeCodes.goingAway, reason = '', timeout = defaults.closeTimeout } = options;
    checkClose(code, reason);
    checkOptions({ closeTimeout: timeout }, 'closeTimeout');
    this.#closing ??= this.#closeAll(code, reason, timeout);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (isOurs(request, this.#options)) {
      handleUpgrade(this.#server, request, socket, head, this.#options, this);
    } else if (!this.#concerns(request)) {
      returnToHttp(this.#server, { request, socket, head });
    }
  };

  /** Whether an upgrade is for us, or for another listener. */
  #concerns(request: IncomingMessage): boolean {
    return isOurs(request, this.#options) || this.#server.listenerCount('upgrade') > 1;
  }

  /** @throws WebSocketError with a 503 */
  checkOpen(): void {
    if (this.#closing === undefined) return;
    throw new WebSocketError('WS_ERR_SHUTTING_DOWN', undefined, { statusCode: 503, headers: { 'Retry-After': '1' } });
  }

  add(webSocket: WebSocket): void {
    this.connections.add(webSocket);
    void webSocket.closed.then(() => this.connections.delete(webSocket));
    // Accepted while we were waiting for the others to close.
    if (this.#closing !== undefined) webSocket.close(closeCodes.goingAway);
  }

  async #closeAll(code: number, reason: string, timeout: number): Promise<void> {
    const deadline = setTimeout(() => {
      for (const webSocket of this.connections) webSocket.abort();
    }, timeout);
    // A connection that is accepted meanwhile is waited for as well.
    while (this.connections.size > 0) {
      const open = [...this.connections];
      for (const webSocket of open) webSocket.close(code, reason);
      await Promise.all(open.map(({ closed }) => closed));
    }
    clearTimeout(deadline);
  }
}

function handleUpgrade(
  server: HttpServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ServerOptions,
  handle?: ServerHandle,
): void {
  // First of all: Node has taken its own listener away, and a reset would end the process.
  socket.on('error', ignore);
  afterEarlierResponses(socket, () => {
    const exchange = new UpgradeExchange(
      { request, socket, head },
      options.handshakeTimeout ?? defaults.handshakeTimeout,
    );
    try {
      handle?.checkOpen();
      checkUpgradeRequest(request);
      const opening = exchange.opening(negotiate(request, options));
      const webSocket: WebSocket = new WebSocket({
        role: 'server',
        options,
        opening: {
          ...opening,
          accept(acceptance) {
            const transport = opening.accept(acceptance);
            handle?.add(webSocket);
            return transport;
          },
        },
      });
      exchange.response.webSocket = webSocket;
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
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
  return isWebSocketRequest(request) && (filter === undefined || filter(request));
}

function checkServer(server: HttpServer): void {
  if (typeof server?.on === 'function' && typeof server.emit === 'function') return;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'the first argument must be an http or https server');
}

function checkServerOptions(options: ServerOptions): void {
  checkOptions(options, 'versions', 'maxMessageSize', 'closeTimeout', 'handshakeTimeout', 'origins', 'filter');
  for (const version of options.versions ?? []) draftFor(version);
}

function ignore(): void {}
