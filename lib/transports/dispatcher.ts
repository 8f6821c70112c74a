import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { HttpRequest } from '../contracts';
import { WebSocketError } from '../errors';
import { isWebSocketRequest } from '../server/negotiation';
import { afterEarlierResponses } from './earlierResponses';
import type { Exchange } from './exchange';
import { returnToHttp, type Upgrade } from './foreignUpgrade';
import { UpgradeExchange } from './http1';
import { ExtendedConnectExchange } from './http2';

/** What is used of an HTTP server: of `http`, `https` or `http2`, plain or secure. */
export interface HttpServer extends Pick<EventEmitter, 'on' | 'emit' | 'listenerCount'> {
  /** Newer versions of Node ask it whether an upgrade goes to 'upgrade' or, as if none were asked for, to 'request'. */
  shouldUpgradeCallback?(request: IncomingMessage): boolean;
  /** A server for HTTP/2 has it. */
  updateSettings?(settings: { enableConnectProtocol: boolean }): void;
}

/** Somebody to whom requests for WebSockets can be given. */
export interface ExchangeHandler {
  /** Whether nothing is left for others. */
  readonly takesAll: boolean;
  takes(request: HttpRequest): boolean;
  /** Milliseconds for the application to answer. */
  readonly timeout: number;
  handle(exchange: Exchange): void;
}

/**
 * The one listener of a server for requests that may be for WebSockets, whatever number of times it has been configured: for
 * 'upgrade' and, over HTTP/2, for 'connect'. What is not ours goes where it would have gone without us.
 */
export class Dispatcher {
  readonly #server: HttpServer;
  readonly #handlers: ExchangeHandler[] = [];

  constructor(server: HttpServer) {
    this.#server = server;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade({ request, socket, head });
    });
    const { shouldUpgradeCallback } = server;
    if (shouldUpgradeCallback !== undefined) {
      server.shouldUpgradeCallback = (request) =>
        this.#concerns(request) && shouldUpgradeCallback.call(server, request);
    }
    if (server.updateSettings !== undefined) this.#listenForHttp2();
  }

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT if nothing is left for the new one */
  add(handler: ExchangeHandler): void {
    if (this.#handlers.some(({ takesAll }) => takesAll)) {
      const detail = 'the server is configured already; with the option filter several can share it';
      throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
    }
    this.#handlers.push(handler);
  }

  #handlerFor(request: HttpRequest): ExchangeHandler | undefined {
    return this.#handlers.find((handler) => handler.takes(request));
  }

  /** Whether an upgrade is for us, or for another listener. */
  #concerns(request: IncomingMessage): boolean {
    return this.#handlerFor(request) !== undefined || this.#server.listenerCount('upgrade') > 1;
  }

  #upgrade(upgrade: Upgrade): void {
    const handler = this.#handlerFor(upgrade.request);
    if (handler !== undefined) return exchangeUpgrade(upgrade, handler);
    const { socket } = upgrade;
    // Whoever it is for, or nobody: Node has taken its own listener away, and a reset would end the process.
    if (this.#server.listenerCount('upgrade') > 1) socket.on('error', ignore);
    else afterEarlierResponses(socket, () => returnToHttp(this.#server, upgrade));
  }

  #listenForHttp2(): void {
    const server = this.#server;
    // Without this a client must not ask (RFC 8441 §3).
    const settings = { enableConnectProtocol: true };
    server.updateSettings?.(settings);
    server.on('connect', (request: IncomingMessage | Http2ServerRequest, answer: Duplex | Http2ServerResponse) => {
      // A server that speaks both gives a CONNECT of HTTP/1.1 the same name, with other arguments.
      if ('stream' in request) this.#connect(request, answer as Http2ServerResponse);
      else if (!this.#hasOtherConnectListeners) answer.destroy();
    });
    server.on('stream', (stream: ServerHttp2Stream, headers: Http2ServerRequest['headers']) => {
      this.#withoutApplication(stream, headers);
    });
  }

  get #hasOtherConnectListeners(): boolean {
    return this.#server.listenerCount('connect') > 1;
  }

  #connect(request: Http2ServerRequest, response: Http2ServerResponse): void {
    // A listener for 'stream' was first, or the client has left.
    if (request.stream.destroyed || response.headersSent) return;
    const handler = this.#handlerFor(request);
    if (handler !== undefined) return handler.handle(new ExtendedConnectExchange(request, response, handler.timeout));
    // As Node answers where nobody listens for 'connect'.
    if (!this.#hasOtherConnectListeners) response.writeHead(405).end();
  }

  /** Node makes a 'connect' of a stream only if there are listeners for 'request'; nobody would answer. */
  #withoutApplication(stream: ServerHttp2Stream, headers: Http2ServerRequest['headers']): void {
    if (this.#server.listenerCount('request') > 0 || this.#server.listenerCount('stream') > 1) return;
    if (stream.destroyed || !isWebSocketRequest({ headers })) return;
    // Nobody else does, and a reset would end the process.
    stream.on('error', ignore);
    // The client may have left already.
    if (!stream.closed) stream.respond({ ':status': 404 }, { endStream: true });
  }
}

/** Makes an upgrade a request like others, once it is its turn. */
export function exchangeUpgrade(upgrade: Upgrade, handler: Pick<ExchangeHandler, 'timeout' | 'handle'>): void {
  afterEarlierResponses(upgrade.socket, () => handler.handle(new UpgradeExchange(upgrade, handler.timeout)));
}

function ignore(): void {}
