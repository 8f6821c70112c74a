import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { HttpRequest } from '../contracts';
import { WebSocketError } from '../errors';
import { defaults } from '../options';
import { afterEarlierResponses } from './earlierResponses';
import type { Exchange } from './exchange';
import { returnToHttp, type Upgrade } from './foreignUpgrade';
import { UpgradeExchange } from './http1';
import { ExtendedConnectExchange } from './http2';
import { resetStream } from './http2Streams';
import { isWebSocketRequest } from './webSocketRequest';

/** The methods and properties of a server of `http`, `https` or `http2` that the library uses. */
export interface HttpServer extends Pick<EventEmitter, 'on' | 'removeListener' | 'emit' | 'listenerCount'> {
  /** HTTP servers have this method; servers of `net` and applications of frameworks do not. */
  setTimeout(...parameters: never[]): unknown;
  /** Newer versions of Node call it to decide whether an upgrade request goes to 'upgrade' or to 'request'. */
  shouldUpgradeCallback?(request: IncomingMessage): boolean;
  /** Servers of `http2` have this method. */
  updateSettings?(settings: { enableConnectProtocol: boolean }): void;
}

/** One configuration of a server, which handles WebSocket requests. */
export interface ExchangeHandler {
  /** Whether the configuration has no filter. */
  readonly takesAll: boolean;
  /** Whether the configuration is closing and refuses all requests. */
  readonly isClosing: boolean;
  takes(request: HttpRequest): boolean;
  /** Milliseconds for the application to answer. */
  readonly timeout: number;
  handle(exchange: Exchange): void;
}

/** What handles one exchange. */
type ExchangeTask = Pick<ExchangeHandler, 'timeout' | 'handle'>;

const sharedServerWarning = {
  type: 'WebSocketWarning',
  code: 'WS_WARN_NO_FILTER',
  detail:
    "Set the option filter to a function that is true for your own requests, for example configureServer(server, { filter: ({ url }) => url === '/chat' }), or remove the other listener.",
};

const dispatchers = new WeakMap<HttpServer, Dispatcher>();

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT if the server already has a handler without a filter */
export function addHandler(server: HttpServer, handler: ExchangeHandler): void {
  const dispatcher = dispatchers.get(server) ?? new Dispatcher(server);
  dispatcher.add(handler);
  dispatchers.set(server, dispatcher);
}

/** Removes a handler and, with the last one, everything that the library has added to the server. */
export function removeHandler(server: HttpServer, handler: ExchangeHandler): void {
  if (dispatchers.get(server)?.remove(handler) === true) dispatchers.delete(server);
}

/**
 * The listeners of one server for requests that may ask for WebSockets, however often the server was configured:
 * 'upgrade' and, over HTTP/2, 'connect'. A request that no handler takes is treated as without the library.
 */
class Dispatcher {
  readonly #server: HttpServer;
  readonly #handlers: ExchangeHandler[] = [];
  readonly #nodeShouldUpgrade: HttpServer['shouldUpgradeCallback'];
  #hasWarned = false;

  constructor(server: HttpServer) {
    this.#server = server;
    this.#nodeShouldUpgrade = server.shouldUpgradeCallback;
  }

  add(handler: ExchangeHandler): void {
    if (this.#handlers.some(({ takesAll, isClosing }) => takesAll && !isClosing)) {
      const detail =
        'the server is configured already, for all requests; set the option filter in each of its configurations, or close the first one';
      throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
    }
    if (this.#handlers.length === 0) this.#start();
    this.#handlers.push(handler);
  }

  /** Removes a handler. Returns whether it was the last one. */
  remove(handler: ExchangeHandler): boolean {
    this.#handlers.splice(this.#handlers.indexOf(handler), 1);
    if (this.#handlers.length > 0) return false;
    this.#stop();
    return true;
  }

  #start(): void {
    const server = this.#server;
    server.on('upgrade', this.#upgrade);
    // It is set also on servers that do not have it: Node 22.21.0 calls it on servers of http2 with allowHTTP1, which
    // do not.
    server.shouldUpgradeCallback = this.#shouldUpgrade;
    if (server.updateSettings === undefined) return;
    // Without this setting a client must not send an extended CONNECT (RFC 8441 §3).
    server.updateSettings({ enableConnectProtocol: true });
    server.on('connect', this.#connect);
    server.on('stream', this.#stream);
  }

  #stop(): void {
    const server = this.#server;
    server.removeListener('upgrade', this.#upgrade);
    // If another library has wrapped our function since, the function stays, and passes all calls on.
    if (server.shouldUpgradeCallback === this.#shouldUpgrade) {
      if (this.#nodeShouldUpgrade === undefined) delete server.shouldUpgradeCallback;
      else server.shouldUpgradeCallback = this.#nodeShouldUpgrade;
    }
    if (server.updateSettings === undefined) return;
    // For new sessions; on an existing one the setting cannot be taken back (RFC 8441 §3).
    server.updateSettings({ enableConnectProtocol: false });
    server.removeListener('connect', this.#connect);
    server.removeListener('stream', this.#stream);
  }

  /**
   * Returns the handler that takes a request. A handler that is closing is returned, to refuse the request, only if no
   * other one takes it.
   */
  #handlerFor(request: HttpRequest): ExchangeHandler | undefined {
    let closing: ExchangeHandler | undefined;
    for (const handler of this.#handlers) {
      if (!handler.takes(request)) continue;
      if (!handler.isClosing) return handler;
      closing ??= handler;
    }
    return closing;
  }

  /**
   * Returns the handler that takes a request. If a filter throws, the request is answered with 500, and the exception,
   * which is a mistake of the program, is thrown again.
   */
  #handlerOrRefuse(request: HttpRequest, handleBy: (task: ExchangeTask) => void): ExchangeHandler | undefined {
    try {
      return this.#handlerFor(request);
    } catch (error) {
      handleBy({ timeout: defaults.handshakeTimeout, handle: (exchange) => exchange.answer(500, '') });
      throw error;
    }
  }

  #othersListenFor(event: 'upgrade' | 'connect' | 'stream'): boolean {
    const ours = this.#handlers.length > 0 ? 1 : 0;
    return this.#server.listenerCount(event) > ours;
  }

  readonly #shouldUpgrade = (request: IncomingMessage): boolean => {
    try {
      if (this.#handlerFor(request) === undefined && !this.#othersListenFor('upgrade')) return false;
    } catch {
      // A filter has thrown. It is called again by #upgrade, which can answer the request.
      return true;
    }
    return this.#nodeShouldUpgrade?.call(this.#server, request) ?? true;
  };

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const upgrade = { request, socket, head };
    const handler = this.#handlerOrRefuse(request, (task) => exchangeUpgrade(upgrade, task));
    const shared = this.#othersListenFor('upgrade');
    if (handler !== undefined) {
      if (shared && handler.takesAll) this.#warn();
      exchangeUpgrade(upgrade, handler);
    } else if (shared) {
      // Node has removed its own 'error' listener, and a reset before another listener adds one would end the process.
      socket.on('error', ignore);
    } else afterEarlierResponses(socket, () => returnToHttp(this.#server, upgrade));
  };

  #warn(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const message =
      "configureServer() without the option filter takes all WebSocket requests, and another 'upgrade' listener of this server gets them too: if both answer, the connection breaks";
    process.emitWarning(message, sharedServerWarning);
  }

  readonly #connect = (request: IncomingMessage | Http2ServerRequest, answer: Duplex | Http2ServerResponse): void => {
    // A server for both protocols emits 'connect' for a CONNECT of HTTP/1.1 as well, with a socket.
    if ('stream' in request) this.#extendedConnect(request, answer as Http2ServerResponse);
    // Node does the same if there is no 'connect' listener.
    else if (!this.#othersListenFor('connect')) answer.destroy();
  };

  #extendedConnect(request: Http2ServerRequest, response: Http2ServerResponse): void {
    // A 'stream' listener has answered the request, or the client has left.
    if (request.stream.destroyed || response.headersSent) return;
    const handler = this.#handlerOrRefuse(request, ({ timeout, handle }) =>
      handle(new ExtendedConnectExchange(request, response, timeout)),
    );
    if (handler !== undefined) return handler.handle(new ExtendedConnectExchange(request, response, handler.timeout));
    if (this.#othersListenFor('connect')) return;
    if (this.#isForHttp1(request)) resetStream(request.stream, constants.NGHTTP2_HTTP_1_1_REQUIRED);
    // Node does the same if there is no 'connect' listener.
    else response.writeHead(405).end();
  }

  /** Whether a WebSocket request may be for an 'upgrade' listener, which only gets requests of HTTP/1.1. */
  #isForHttp1(request: Pick<HttpRequest, 'headers'>): boolean {
    return isWebSocketRequest(request) && this.#othersListenFor('upgrade');
  }

  /** Answers a request if the server has no 'request' listener: Node then does not emit 'connect'. */
  readonly #stream = (stream: ServerHttp2Stream, headers: Http2ServerRequest['headers']): void => {
    if (this.#server.listenerCount('request') > 0 || this.#othersListenFor('stream')) return;
    if (stream.destroyed || !isWebSocketRequest({ headers })) return;
    // There is no other 'error' listener, and a reset would end the process.
    stream.on('error', ignore);
    // The client may have left already.
    if (stream.closed) return;
    if (this.#isForHttp1({ headers })) resetStream(stream, constants.NGHTTP2_HTTP_1_1_REQUIRED);
    else stream.respond({ ':status': 404 }, { endStream: true });
  };
}

/** Gives an upgrade request to a handler, after the responses to earlier requests on its connection. */
export function exchangeUpgrade(upgrade: Upgrade, handler: ExchangeTask): void {
  afterEarlierResponses(upgrade.socket, () => {
    const exchange = new UpgradeExchange(upgrade, handler.timeout);
    try {
      handler.handle(exchange);
    } finally {
      exchange.waitForAnswer();
    }
  });
}

function ignore(): void {}
