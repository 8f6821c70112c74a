import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ClientHandshake, Transport } from '../contracts';
import { WebSocketError } from '../errors';
import { readExactly } from './challenge';

export interface ClientOpening {
  readonly url: URL;
  readonly handshake: ClientHandshake;
  /** Everything that the request says beside the handshake. */
  readonly headers: OutgoingHttpHeaders;
  /** Whatever else Node's `http.request()` and `https.request()` take. */
  readonly requestOptions: RequestOptions;
  /** Milliseconds until the server must have answered. */
  readonly timeout: number;
}

export interface ClientOpeningOwner {
  /** The server has accepted; its answer is still to be looked at, and throws if it is not acceptable. */
  accepted(response: IncomingMessage, transport: Transport): void;
  failed(error: WebSocketError): void;
}

/**
 * Sends an opening request over HTTP/1.1 and reads the answer, up to the first frame.
 * @returns what gives it up
 */
export function openHttp1(opening: ClientOpening, owner: ClientOpeningOwner): () => void {
  const { url, handshake, headers, requestOptions } = opening;
  const secure = url.protocol === 'wss:' || url.protocol === 'https:';
  const request = (secure ? httpsRequest : httpRequest)({
    ...requestOptions,
    ...addressOf(url, secure),
    method: 'GET',
    // The oldest servers want the first lines in this order.
    headers: { ...handshake.headers, Host: url.host, ...headers },
  });
  const exchange = new ClientExchange(request, opening, owner);
  exchange.send();
  return () => exchange.giveUp();
}

class ClientExchange {
  readonly #request: ClientRequest;
  readonly #opening: ClientOpening;
  readonly #owner: ClientOpeningOwner;
  #socket: Duplex | undefined;
  /** For all of the handshake: the answer, and the reply to a challenge behind it. */
  readonly #deadline: NodeJS.Timeout;
  #over = false;

  constructor(request: ClientRequest, opening: ClientOpening, owner: ClientOpeningOwner) {
    this.#request = request;
    this.#opening = opening;
    this.#owner = owner;
    this.#deadline = setTimeout(() => this.fail('WS_ERR_HANDSHAKE_TIMEOUT'), opening.timeout);
    request.on('error', (cause) => this.fail('WS_ERR_CONNECTION_FAILED', cause.message, { cause }));
    request.once('upgrade', (response, socket, head) => this.#upgraded(response, socket, head));
    request.once('response', (response) => this.#refused(response));
  }

  send(): void {
    const { challenge } = this.#opening.handshake;
    if (challenge === undefined) {
      this.#request.end();
      return;
    }
    // The challenge stands behind the head, and is no body: no length announces it. The head is on its way once there is a socket.
    this.#request.flushHeaders();
    this.#request.once('socket', (socket) => setImmediate(() => socket.write(challenge)));
  }

  giveUp(): void {
    this.#finish();
    this.#request.destroy();
    this.#socket?.destroy();
  }

  fail(
    code: WebSocketError['code'],
    detail?: string,
    details: ConstructorParameters<typeof WebSocketError>[2] = {},
  ): void {
    if (this.#over) return;
    this.giveUp();
    this.#owner.failed(new WebSocketError(code, detail, details));
  }

  #upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#socket = socket;
    // Node has taken its own listener away, and a reset would end the process.
    socket.on('error', () => {});
    socket.once('close', () => this.fail('WS_ERR_CONNECTION_LOST', 'in the opening handshake'));
    (socket as Partial<Socket>).setTimeout?.(0);
    const { handshake } = this.#opening;
    readExactly(socket, handshake.replySize, head, (reply, rest) => {
      if (this.#over) return;
      try {
        handshake.verify(response, reply);
        this.#finish();
        this.#owner.accepted(response, { stream: socket, head: rest });
      } catch (error) {
        if (!(error instanceof WebSocketError)) throw error;
        this.giveUp();
        this.#owner.failed(error);
      }
    });
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
  }

  #refused(response: IncomingMessage): void {
    const { statusCode, statusMessage, headers } = response;
    this.fail('WS_ERR_HANDSHAKE_REFUSED', `${statusCode} ${statusMessage}`, {
      headers,
      ...(statusCode && { statusCode }),
    });
  }
}

function addressOf(url: URL, secure: boolean): RequestOptions {
  // Brackets of an IPv6 address are for URLs only.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port), path: `${url.pathname}${url.search}` };
}
