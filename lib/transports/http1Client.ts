import {
  Agent,
  type ClientRequest,
  globalAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { splitList } from '../codec/headers';
import type { ClientHandshake, Transport, Version } from '../contracts';
import { WebSocketError, type WebSocketErrorDetails } from '../errors';
import { readExactly } from './challenge';
import { type ClientTarget, redirected } from './redirects';

/** What a client wants to open. */
export interface ClientOpening {
  readonly target: ClientTarget;
  /** The versions to speak, best first. The others count where a server names them in its refusal. */
  readonly versions: readonly Version[];
  /** How often a server may send us elsewhere. */
  readonly redirects: number;
  /** Milliseconds until the server must have answered. */
  readonly timeout: number;
  /** Makes what an opening request says; each has a key of its own. */
  handshake(version: Version, location: URL): ClientOpeningRequest;
}

export interface ClientOpeningRequest extends ClientHandshake {
  /** What the request says beside its proof: subprotocols and extensions. */
  readonly offers: OutgoingHttpHeaders;
}

export interface ClientOpeningOwner {
  /** The server has accepted; its answer is still to be looked at, and throws if it is not acceptable. */
  accepted(response: IncomingMessage, transport: Transport, version: Version): void;
  failed(error: WebSocketError): void;
}

/** Bytes of a refusal that are kept for whoever wants to know why. */
const longestBody = 64 * 1024;

/**
 * Sends an opening request over HTTP/1.1, and again where the answer says so, and reads the answer, up to the first frame.
 * @returns what gives it up
 */
export function openHttp1(opening: ClientOpening, owner: ClientOpeningOwner): () => void {
  const exchange = new ClientExchange(opening, owner);
  return () => exchange.giveUp();
}

class ClientExchange {
  readonly #opening: ClientOpening;
  readonly #owner: ClientOpeningOwner;
  #target: ClientTarget;
  #version: Version;
  /** Versions that no server has refused yet. */
  #versions: readonly Version[];
  #redirects = 0;
  #request: ClientRequest;
  #socket: Duplex | undefined;
  /** For all of the handshake: every redirect, the answer, and the reply to a challenge behind it. */
  readonly #deadline: NodeJS.Timeout;
  /** Says what is known of a refusal; there once it has begun. */
  #refuse: (() => void) | undefined;
  #over = false;

  constructor(opening: ClientOpening, owner: ClientOpeningOwner) {
    this.#opening = opening;
    this.#owner = owner;
    this.#target = opening.target;
    this.#versions = opening.versions;
    this.#version = this.#versions[0] as Version;
    this.#request = this.#send();
    this.#deadline = setTimeout(() => this.#expire(), opening.timeout);
  }

  giveUp(): void {
    this.#finish();
    this.#request.destroy();
    this.#socket?.destroy();
  }

  #send(): ClientRequest {
    const { location, headers, requestOptions } = this.#target;
    const handshake = this.#opening.handshake(this.#version, location);
    const secure = location.protocol === 'wss:';
    const options: RequestOptions = {
      ...requestOptions,
      // Brackets of an IPv6 address are for URLs only.
      host: location.hostname.replace(/^\[|\]$/g, ''),
      port: location.port || (secure ? 443 : 80),
      path: location.pathname + location.search,
      method: 'GET',
      // The oldest servers want the first lines in this order.
      headers: { ...handshake.headers, Host: location.host, ...handshake.offers, ...headers },
    };
    if (!secure && isDefaultAgent(options)) options.createConnection = createConnection;
    const request = (secure ? httpsRequest : httpRequest)(options);
    // What comes from a request that another has taken the place of is of no interest.
    const current = () => request === this.#request && !this.#over;
    request.on('error', (error) => current() && this.#requestFailed(error));
    request.once('upgrade', (response, socket, head) => this.#upgraded(handshake, response, socket, head));
    request.once('response', (response) => current() && this.#answered(response));
    const { challenge } = handshake;
    if (challenge === undefined) return request.end();
    // The challenge stands behind the head, and is no body: no length announces it. The head is on its way once there is a socket.
    request.flushHeaders();
    request.once('socket', (socket) => setImmediate(() => socket.write(challenge)));
    return request;
  }

  /** Asks once more, in another way. The program is not on the stack any more: what Node throws is a failure as others are. */
  #sendAgain(): void {
    const before = this.#request;
    try {
      this.#request = this.#send();
    } catch (cause) {
      return this.#fail('WS_ERR_CONNECTION_FAILED', (cause as Error).message, { cause });
    } finally {
      before.destroy();
    }
  }

  #expire(): void {
    if (this.#refuse !== undefined) this.#refuse();
    else this.#fail('WS_ERR_HANDSHAKE_TIMEOUT');
  }

  #requestFailed(cause: NodeJS.ErrnoException): void {
    // What is wrong behind the head of a refusal does not make it another answer.
    if (this.#refuse !== undefined) return;
    // A connection that had served other requests, and that the server has closed meanwhile: it has not seen this one.
    const { reusedSocket, res } = this.#request as ClientRequest & { readonly res?: IncomingMessage };
    if (reusedSocket && !res && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE')) return this.#sendAgain();
    const unreadable = cause.code?.startsWith('HPE_');
    this.#fail(unreadable ? 'WS_ERR_INVALID_HANDSHAKE' : 'WS_ERR_CONNECTION_FAILED', messageOf(cause), { cause });
  }

  #upgraded(handshake: ClientHandshake, response: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#over) return void socket.destroy();
    this.#socket = socket;
    // Node has taken its own listener away, and a reset would end the process.
    socket.on('error', ignore);
    const lost = () => this.#fail('WS_ERR_CONNECTION_LOST', 'in the opening handshake');
    socket.once('close', lost);
    const { setTimeout, setNoDelay } = socket as Partial<Socket>;
    setTimeout?.call(socket, 0);
    setNoDelay?.call(socket, true);
    // A server may end its bytes together with its Close, and still wants our answer (RFC 6455 §7.1.1).
    socket.allowHalfOpen = true;
    readExactly(socket, handshake.replySize, head, (reply, rest) => {
      if (this.#over) return;
      try {
        handshake.verify(response, reply);
        this.#finish();
        // An open connection must not keep its request.
        socket.removeListener('close', lost);
        this.#owner.accepted(response, { stream: socket, head: rest }, this.#version);
      } catch (error) {
        this.#failWith(error);
      }
    });
  }

  /** Anything but a change of the protocol. */
  #answered(response: IncomingMessage): void {
    if (response.statusCode === 101)
      return this.#fail('WS_ERR_INVALID_HANDSHAKE', 'a 101 without Upgrade and Connection: Upgrade');
    try {
      const next = this.#opening.redirects > 0 ? redirected(response, this.#target) : undefined;
      if (next !== undefined) return this.#redirect(next, response);
    } catch (error) {
      return this.#failWith(error);
    }
    const version = this.#otherVersion(response);
    if (version === undefined) return this.#refused(response);
    this.#version = version;
    this.#sendAgain();
  }

  #redirect(next: ClientTarget, { statusCode = 0, headers }: IncomingMessage): void {
    if (this.#redirects++ < this.#opening.redirects) {
      this.#target = next;
      return this.#sendAgain();
    }
    this.#fail('WS_ERR_HANDSHAKE_REFUSED', `more than ${this.#opening.redirects} redirects`, { statusCode, headers });
  }

  /** One of ours that a server which refuses the last one can speak (RFC 6455 §4.4). */
  #otherVersion({ statusCode = 0, headers }: IncomingMessage): Version | undefined {
    if (statusCode < 400 || statusCode > 499) return undefined;
    this.#versions = this.#versions.filter((version) => version !== this.#version);
    const listed = splitList(headers['sec-websocket-version']?.toString() ?? '');
    return this.#versions.find((version) => listed.includes(version));
  }

  #refused(response: IncomingMessage): void {
    const { statusCode = 0, statusMessage, headers } = response;
    // A connection that was asked to become another one serves no other requests, whatever the two sides make of the answer.
    this.#request.shouldKeepAlive = false;
    const body: Buffer[] = [];
    let size = 0;
    // Also if the rest of the body does not come, in time or at all: the answer is known.
    this.#refuse = () => {
      const start = Buffer.concat(body).subarray(0, longestBody);
      this.#fail('WS_ERR_HANDSHAKE_REFUSED', `${statusCode} ${statusMessage}`, { statusCode, headers, body: start });
    };
    response.on('data', (bytes: Buffer) => {
      body.push(bytes);
      size += bytes.length;
      if (size >= longestBody) this.#refuse?.();
    });
    response.on('error', this.#refuse);
    response.once('close', this.#refuse);
  }

  #failWith(error: unknown): void {
    if (!(error instanceof WebSocketError)) throw error;
    if (this.#over) this.#socket?.destroy();
    else this.giveUp();
    this.#owner.failed(error);
  }

  #fail(code: WebSocketError['code'], detail?: string, details?: WebSocketErrorDetails): void {
    if (!this.#over) this.#failWith(new WebSocketError(code, detail, details));
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
  }
}

/** Whether Node's own agent would be asked, as Node makes it: no replacement, and no proxy from the environment. */
function isDefaultAgent({ agent, createConnection }: RequestOptions): boolean {
  if (agent !== undefined || createConnection !== undefined) return false;
  const { options } = globalAgent as Agent & { readonly options?: { readonly proxyEnv?: unknown } };
  return globalAgent.constructor === Agent && options?.proxyEnv === undefined;
}

/**
 * What the agent would do, without its pool, for which a WebSocket has no use (a tenth of a handshake). With TLS it has: the
 * agent keeps sessions to be resumed.
 */
function createConnection(options: RequestOptions): Socket {
  return connectTcp({ ...options, path: options.socketPath } as NetConnectOpts);
}

/** What went wrong with all the addresses of a name is in an error that says nothing itself. */
function messageOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message;
  return error.errors.map((each: Error) => each.message).join('; ');
}

function ignore(): void {}
