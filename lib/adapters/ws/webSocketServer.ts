import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { acceptKey } from '../../codec/acceptKey';
import { handleHttpUpgrade, type ServerOptions as OurServerOptions, WebSocketError } from '../../webSocketHandler';
import { toServerOptions, type UpgradeOptions, type VerifyClientDone, type VerifyClientInfo } from './options';
import { WebSocket } from './webSocket';

/** The options of `new WebSocketServer()`: those of ws, and those of `configureServer()`. Others are ignored, as ws does. */
export interface ServerOptions extends UpgradeOptions {
  /** The class of the WebSockets; one that extends ours. */
  WebSocket?: typeof WebSocket;
}

type Upgraded = (webSocket: WebSocket, request: IncomingMessage) => void;
type State = 'running' | 'closing' | 'closed';

/**
 * A server with the API of ws: for programs that were written for ws. It accepts WebSockets in an 'upgrade' listener, so
 * the request handlers of the HTTP server are not called. With `configureServer()` they are.
 */
export class WebSocketServer extends EventEmitter {
  /** The options, with the defaults of ws. `handleProtocols`, `verifyClient` and `path` can be set later. */
  readonly options: ServerOptions;
  /** The open WebSockets; undefined with `clientTracking: false`. */
  readonly clients: Set<WebSocket> | undefined;
  readonly #upgradeOptions: OurServerOptions;
  /** Emits the opening request with the response that accepts or refuses it. It never listens on a port. */
  readonly #gate = createServer((request, response) => this.#decide(request, response));
  /** For each request that is being answered: the function to call with its WebSocket. */
  readonly #waiting = new WeakMap<IncomingMessage, Upgraded>();
  readonly #sockets = new WeakSet<Duplex>();
  #server: Server | undefined;
  #state: State = 'running';

  /**
   * @param callback a 'listening' listener, with the option `port`
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  constructor(options: ServerOptions = {}, callback?: () => void) {
    super();
    const { port, host, backlog, server, noServer = false, clientTracking = true } = options;
    if ([port != null, server != null, noServer].filter(Boolean).length !== 1)
      throw new WebSocketError(
        'WS_ERR_INVALID_ARGUMENT',
        'One and only one of the "port", "server", or "noServer" options must be specified',
      );
    this.options = { WebSocket, path: null, verifyClient: null, handleProtocols: null, clientTracking, ...options };
    this.#upgradeOptions = toServerOptions(options);
    this.clients = clientTracking ? new Set() : undefined;
    if (noServer) return;
    this.#server = server ?? createServer(upgradeRequired);
    this.#server.on('listening', this.#listening).on('error', this.#failed).on('upgrade', this.#upgrade);
    if (port != null) this.#server.listen(port, host ?? undefined, backlog ?? undefined, callback);
  }

  readonly #listening = () => this.emit('listening');
  readonly #failed = (error: Error) => this.emit('error', error);
  readonly #connected = (webSocket: WebSocket, request: IncomingMessage) => this.emit('connection', webSocket, request);
  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    this.handleUpgrade(request, socket, head, this.#connected);

  /**
   * The address that the server listens on; null if it is closed or does not listen.
   * @throws WebSocketError WS_ERR_UNSUPPORTED with the option `noServer`
   */
  address(): AddressInfo | string | null {
    if (this.options.noServer)
      throw new WebSocketError('WS_ERR_UNSUPPORTED', 'The server is operating in "noServer" mode');
    return this.#server?.address() ?? null;
  }

  /** Returns whether to take a request: by default, whether its path is that of the option `path`. Can be overridden. */
  shouldHandle(request: IncomingMessage): boolean {
    const { path } = this.options;
    return !path || request.url?.split('?', 1)[0] === path;
  }

  /**
   * Answers an upgrade request, and calls back with the WebSocket if it was accepted.
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED if the socket was given to it before
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, callback: Upgraded): void {
    if (this.#sockets.has(socket))
      throw new WebSocketError(
        'WS_ERR_ALREADY_CONNECTED',
        'server.handleUpgrade() was called more than once with the same socket',
      );
    this.#sockets.add(socket);
    this.#waiting.set(request, callback);
    if (!handleHttpUpgrade(this.#gate, request, socket, head, this.#upgradeOptions))
      socket.on('error', ignore).end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  }

  /** Accepts or refuses a valid opening request. */
  #decide(request: IncomingMessage, response: ServerResponse): void {
    if (!this.shouldHandle(request)) return refuse(response, 400);
    const { verifyClient } = this.options;
    if (!verifyClient) return this.#accept(request, response);
    const info = infoOf(request);
    const answer: VerifyClientDone = (verified, code, message, headers) => {
      if (verified) this.#accept(request, response);
      else refuse(response, code || 401, message, headers);
    };
    const verified = verifyClient(info, answer);
    if (verifyClient.length < 2) answer(Boolean(verified));
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    const offered = response.webSocket;
    // The client has left, or the program was slower than handshakeTimeout.
    if (offered === undefined || offered.destroyed || request.socket.destroyed || response.headersSent) return;
    if (this.#state !== 'running') return refuse(response, 503);
    const protocol = this.#chooseProtocol(offered.protocols, request);
    this.#emitHeaders(request, response, protocol);
    const stream = offered.connect(protocol === '' ? {} : { protocol });
    const webSocket = new (this.options.WebSocket as typeof WebSocket)(stream);
    if (this.clients !== undefined) this.#track(webSocket, this.clients);
    this.#waiting.get(request)?.(webSocket, request);
  }

  #chooseProtocol(offered: readonly string[], request: IncomingMessage): string {
    const { handleProtocols } = this.options;
    if (offered.length === 0) return '';
    return (handleProtocols ? handleProtocols(new Set(offered), request) : offered[0]) || '';
  }

  /** Emits 'headers' with the lines of the 101. Lines that listeners add are sent; the others cannot be changed. */
  #emitHeaders(request: IncomingMessage, response: ServerResponse, protocol: string): void {
    if (this.listenerCount('headers') === 0) return;
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptKey(request.headers['sec-websocket-key'] ?? '')}`,
      ...(protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ];
    const own = new Set(lines);
    this.emit('headers', lines, request);
    for (const line of lines) {
      if (own.has(line)) continue;
      const colon = line.indexOf(':');
      response.appendHeader(line.slice(0, colon), line.slice(colon + 1).trim());
    }
  }

  #track(webSocket: WebSocket, clients: Set<WebSocket>): void {
    clients.add(webSocket);
    webSocket.on('close', () => {
      clients.delete(webSocket);
      if (this.#state === 'closing' && this.#server === undefined && clients.size === 0) this.#closeSoon();
    });
  }

  /**
   * Accepts no more connections, and emits 'close' when the open connections have ended. It does not close them.
   * @param callback a 'close' listener; it gets an error if the server was closed before
   */
  close(callback?: (error?: Error) => void): void {
    if (this.#state === 'closed') {
      const error = new WebSocketError('WS_ERR_NOT_OPEN', 'The server is not running');
      if (callback !== undefined) process.nextTick(callback, error);
      return;
    }
    if (callback !== undefined) this.once('close', callback);
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    const server = this.#server;
    server?.off('listening', this.#listening).off('error', this.#failed).off('upgrade', this.#upgrade);
    if (this.options.port != null) server?.close(() => this.#closed());
    else {
      this.#server = undefined;
      if (!this.clients?.size) this.#closeSoon();
    }
  }

  #closeSoon(): void {
    process.nextTick(() => this.#closed());
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#server = undefined;
    this.emit('close');
  }
}

function infoOf(request: IncomingMessage): VerifyClientInfo {
  const { headers, socket } = request;
  const origin = headers.origin ?? (headers['sec-websocket-origin'] as string | undefined);
  return { origin, secure: 'encrypted' in socket, req: request };
}

function refuse(response: ServerResponse, code: number, message = STATUS_CODES[code] ?? '', headers = {}): void {
  if (response.headersSent || response.destroyed) return;
  const body = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(message) };
  response.writeHead(code, { ...body, ...headers }).end(message);
}

function upgradeRequired(_request: IncomingMessage, response: ServerResponse): void {
  refuse(response, 426, undefined, { Upgrade: 'websocket', Connection: 'Upgrade' });
}

function ignore(): void {}
