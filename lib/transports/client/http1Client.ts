import { Agent, type ClientRequest, globalAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers';
import { WebSocketError } from '../../errors';
import { readExactly } from '../challenge';
import type { ClientAttempt, ClientAttemptOwner, ClientOpeningRequest, ClientTarget } from './clientAttempt';

/** An opening request over HTTP/1.1: an upgrade request (RFC 6455 §4.1). */
export class Http1Attempt implements ClientAttempt {
  readonly #handshake: ClientOpeningRequest;
  readonly #owner: ClientAttemptOwner;
  readonly #request: ClientRequest;
  #socket: Duplex | undefined;
  #abandoned = false;

  /** @param connection an existing connection to send the request on; undefined to make one */
  constructor(
    { location, headers, requestOptions }: ClientTarget,
    handshake: ClientOpeningRequest,
    connection: Duplex | undefined,
    owner: ClientAttemptOwner,
  ) {
    this.#handshake = handshake;
    this.#owner = owner;
    const secure = location.protocol === 'wss:';
    const options: RequestOptions = {
      ...requestOptions,
      // Brackets of an IPv6 address are for URLs only.
      host: location.hostname.replace(/^\[|\]$/g, ''),
      port: location.port || (secure ? 443 : 80),
      path: location.pathname + location.search,
      method: 'GET',
      // Servers of the oldest drafts require this order of the first headers.
      headers: { ...handshake.headers, Host: location.host, ...handshake.offers, ...headers },
    };
    if (connection !== undefined) options.createConnection = () => connection as Socket;
    else if (!secure && isDefaultAgent(options)) options.createConnection = createConnection;
    const request = (secure ? httpsRequest : httpRequest)(options);
    this.#request = request;
    request.on('error', (error) => this.#failed(error));
    request.once('upgrade', (response, socket, head) => this.#upgraded(response, socket, head));
    request.once('response', (response) => this.#answered(response));
    const { challenge } = handshake;
    if (challenge === undefined) {
      request.end();
      return;
    }
    // The challenge follows the headers and is no body, so there is no Content-Length. The headers are written when
    // there is a socket.
    request.flushHeaders();
    request.once('socket', (socket) => setImmediate(() => socket.write(challenge)));
  }

  abandon(): void {
    this.#abandoned = true;
    this.#request.destroy();
    this.#socket?.destroy();
  }

  #fail(code: WebSocketError['code'], detail: string, cause?: Error): void {
    if (!this.#abandoned) this.#owner.failed(new WebSocketError(code, detail, cause && { cause }));
  }

  #failed(cause: NodeJS.ErrnoException): void {
    if (this.#abandoned) return;
    // The server closed a connection of the agent's pool before it received this request: it can be sent again.
    const { reusedSocket, res } = this.#request as ClientRequest & { readonly res?: IncomingMessage };
    if (reusedSocket && !res && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE')) return this.#owner.unseen();
    const unreadable = cause.code?.startsWith('HPE_');
    this.#fail(unreadable ? 'WS_ERR_INVALID_HANDSHAKE' : 'WS_ERR_CONNECTION_FAILED', messageOf(cause), cause);
  }

  #upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#abandoned) return void socket.destroy();
    this.#socket = socket;
    // Node has removed its own 'error' listener, and without one a reset would end the process.
    socket.on('error', ignore);
    const fault = faultOf(response);
    if (fault !== undefined) return this.#fail('WS_ERR_INVALID_HANDSHAKE', fault);
    const lost = () => this.#fail('WS_ERR_CONNECTION_LOST', 'in the opening handshake');
    socket.once('close', lost);
    const { setTimeout, setNoDelay } = socket as Partial<Socket>;
    setTimeout?.call(socket, 0);
    setNoDelay?.call(socket, true);
    // A server may end its byte stream together with its Close frame, and must still be answered (RFC 6455 §7.1.1).
    socket.allowHalfOpen = true;
    readExactly(socket, this.#handshake.replySize, head, (reply, rest) => {
      if (this.#abandoned) return;
      // The listener would keep the request in memory for as long as the connection is open.
      socket.removeListener('close', lost);
      try {
        this.#handshake.verify(response, reply);
      } catch (error) {
        return this.#owner.failed(error as WebSocketError);
      }
      this.#owner.accepted(response.headers, { stream: socket, head: rest }, 'http1');
    });
  }

  /** Called when the server has sent a response that Node does not treat as an upgrade. */
  #answered(body: IncomingMessage): void {
    if (this.#abandoned) return;
    const { statusCode = 0, statusMessage = '', headers } = body;
    if (statusCode === 101)
      return this.#fail('WS_ERR_INVALID_HANDSHAKE', 'a 101 without Upgrade and Connection: Upgrade');
    // After an upgrade request the two sides may disagree about the protocol on the connection, so it is not used
    // again.
    this.#request.shouldKeepAlive = false;
    this.#owner.answered({ statusCode, statusMessage, headers, body });
  }
}

/**
 * Returns what is wrong with the headers of a 101, for every version of the protocol. HTTP/1.0 has no Upgrade
 * (RFC 9110 §7.8), and a 101 has no body (RFC 9112 §6.1, RFC 9110 §8.6): an intermediary that reads a body would not
 * agree with us where the frames begin.
 */
function faultOf({ httpVersion, headers }: IncomingMessage): string | undefined {
  if (httpVersion === '1.0') return 'a 101 must be HTTP/1.1, not HTTP/1.0';
  if (headers['transfer-encoding'] !== undefined) return 'a 101 must not have Transfer-Encoding';
  const length = headers['content-length'] ?? '0';
  return Number(length) === 0 ? undefined : `a 101 must not have a body, but has Content-Length: ${length}`;
}

/**
 * Returns whether the request would use Node's own global agent, neither replaced nor with a proxy from the
 * environment.
 */
function isDefaultAgent({ agent, createConnection }: RequestOptions): boolean {
  if (agent !== undefined || createConnection !== undefined) return false;
  const { options } = globalAgent as Agent & { readonly options?: { readonly proxyEnv?: unknown } };
  return globalAgent.constructor === Agent && options?.proxyEnv === undefined;
}

/**
 * Connects as Node's agent does, but without its pool, which takes a tenth of the time of a handshake and is of no use
 * to a WebSocket. With TLS the agent is used, because it keeps sessions to resume.
 */
function createConnection(options: RequestOptions): Socket {
  return connectTcp({ ...options, path: options.socketPath } as NetConnectOpts);
}

/**
 * Returns the message of an error. The message of an AggregateError, for all addresses of a host, is empty; its errors
 * have messages.
 */
function messageOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message;
  return error.errors.map((each: Error) => each.message).join('; ');
}

function ignore(): void {}
