import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { discardUntilClosed } from '../connection/byteStreamEnds';
import type { Acceptance, HandshakeAnswer, Opening, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import type { Offer } from '../server/negotiation';
import { knownVersions } from '../versions';
import { readChallenge } from './challenge';
import type { Exchange } from './exchange';

/** Headers that speak about this hop and body of an ordinary response; middleware may have set them on ours. */
const headersOfOrdinaryResponses = [
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
];

/** What Node gives an 'upgrade' listener. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came in the same read behind the request. */
  readonly head: Buffer;
}

/**
 * An upgrade request that can be answered like any other request, through a ServerResponse. Node has let go of the socket
 * at this point: no parser, no 'error' listener, no 'drain' for responses.
 */
export class UpgradeExchange implements Exchange {
  readonly versions = knownVersions;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #timeout: number;
  #accepted = false;
  #expired = false;
  readonly #deadline: NodeJS.Timeout;

  /** @param timeout milliseconds for the application to answer */
  constructor({ request, socket, head }: Upgrade, timeout: number) {
    this.request = request;
    this.#socket = socket;
    this.#head = head;
    this.#timeout = timeout;
    // A `server.timeout` would go on counting on the socket of a live connection.
    (socket as Partial<Socket>).setTimeout?.(0);
    const response = new ServerResponse(request);
    this.response = response;
    // The connection cannot go back to being an HTTP connection; without this the response would promise that.
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    // Reads ahead into the socket's own buffer: a client that goes away is noticed, and the response closes, while the
    // handler still waits. One that only ends its side has gone too; Node's HTTP server says the same.
    socket.on('end', this.#inputEnded);
    socket.read(0);
    socket.on('drain', this.#passDrainOn);
    response.once('finish', () => this.#responseFinished());
    this.#deadline = setTimeout(() => this.#expire(), timeout);
    socket.on('close', this.#clearDeadline);
  }

  get authority(): string | undefined {
    return this.request.headers.host;
  }

  /** RFC 6455 §4.2.1, items 1 to 4. */
  check(): void {
    const { method, httpVersion, headers, rawHeaders } = this.request;
    if (method !== 'GET') throw invalid(405, `the method must be GET, not ${method}`, { Allow: 'GET' });
    if (httpVersion !== '1.1') throw invalid(400, 'the HTTP version must be 1.1');
    let hosts = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++;
    if (hosts !== 1) throw invalid(400, 'there must be one Host header');
    if (headers['transfer-encoding'] !== undefined) throw invalid(400, 'the request must not have a body');
  }

  opening(offer: Offer): Omit<Opening, 'onUnaccepted'> {
    const secure = 'encrypted' in this.request.socket;
    const answer = offer.wire.answer(this.request, secure);
    checkBody(this.request, answer.challenge?.size ?? 0);
    return {
      transport: 'http1',
      request: this.request,
      ...offer,
      accept: (acceptance, opened) => {
        const { protocol, extensions } = acceptance;
        const headers: Record<string, string> = { ...answer.headers };
        if (protocol !== '') headers[offer.wire.protocolHeader] = protocol;
        if (extensions !== '') headers['Sec-WebSocket-Extensions'] = extensions;
        this.#accept(answer, headers, acceptance, opened);
      },
      abandon: () => this.#socket.destroy(),
    };
  }

  onUnaccepted(callback: (how: { refused: boolean }) => void): void {
    this.response.once('close', () => {
      if (this.#accepted) return;
      if (this.response.headersSent) this.#publishRefusal();
      callback({ refused: this.response.headersSent && !this.#expired });
    });
  }

  refuse({ message, statusCode = 400, headers }: WebSocketError): void {
    this.response.writeHead(statusCode, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
    this.response.end(`${message}\n`);
    this.#publishRefusal();
  }

  #publishRefusal(): void {
    const { request, response } = this;
    if (diagnostics.refused.hasSubscribers) diagnostics.refused.publish({ request, response });
  }

  #accept(
    { statusMessage, challenge }: HandshakeAnswer,
    answer: Readonly<Record<string, string>>,
    { headers }: Acceptance,
    opened: (transport: Transport) => void,
  ): void {
    const response = this.response;
    // Late because we were impatient: the program has made no mistake, and finds a connection that is gone.
    if (this.#expired) return opened({ stream: this.#socket.destroy(), head: Buffer.alloc(0) });
    if (response.headersSent || response.writableEnded) throw new WebSocketError('WS_ERR_RESPONSE_STARTED');
    for (const name of headersOfOrdinaryResponses) response.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
    setHeadersFirst(response, answer);
    const { sendDate, statusCode } = response;
    response.sendDate = false;
    // Through the response, whoever has decorated it: cookies, header hooks and access logs see the 101.
    try {
      response.writeHead(101, statusMessage);
    } catch (error) {
      // A hook has thrown, and the program may still answer in another way.
      for (const name of Object.keys(answer)) response.removeHeader(name);
      // Node takes the removal for our wish, and would leave out its own.
      response.setHeader('Connection', 'close');
      Object.assign(response, { sendDate, statusCode });
      throw error;
    }
    this.#accepted = true;
    this.#clearDeadline();
    response.flushHeaders();
    // Whoever writes a body after that, a framework for instance, cannot know that there is none.
    response.on('error', ignore);
    // Middleware may keep this end back, to save a session say; the head has left by now.
    response.end();
    this.#socket.removeListener('drain', this.#passDrainOn);
    this.#socket.removeListener('end', this.#inputEnded);
    this.#socket.removeListener('close', this.#clearDeadline);
    const transport = { stream: this.#socket, head: this.#head };
    if (challenge === undefined) {
      opened(transport);
      // The WebSocket has its own by now, and an array of two would be kept for as long as the connection.
      if (this.#socket.listenerCount('error') > 1) this.#socket.removeListener('error', ignore);
      return;
    }
    // A stream that closes before its challenge has come is told of as one that closes right after the handshake.
    const lost = () => opened(transport);
    this.#socket.once('close', lost);
    const tail = { ...transport, request: this.request };
    readChallenge(tail, challenge.size, this.#timeout, (bytes, ready) => {
      this.#socket.removeListener('close', lost);
      this.#socket.write(challenge.reply(bytes));
      opened(ready);
    });
  }

  /** Node's own listener, which told a waiting response of room in the socket, is gone: a large body would stop. */
  readonly #passDrainOn = () => this.response.emit('drain');

  readonly #clearDeadline = () => clearTimeout(this.#deadline);

  readonly #inputEnded = () => {
    // With frames in hand it may have said all that it wanted to; how it ends is then for the WebSocket to see.
    if (!this.response.headersSent && this.#head.length === 0) this.#socket.destroy();
  };

  #responseFinished(): void {
    const response = this.response;
    this.#clearDeadline();
    response.detachSocket(this.#socket as Socket);
    process.nextTick(() => response.emit('close'));
    if (this.#accepted) return;
    this.#socket.end();
    discardUntilClosed({ stream: this.#socket }, this.#timeout);
  }

  /** The application has not answered in time. A response that has begun may go on for as long as the peer takes bytes. */
  #expire(): void {
    const socket = this.#socket;
    if (this.response.headersSent) {
      (socket as Partial<Socket>).setTimeout?.(this.#timeout, () => socket.destroy());
      return;
    }
    this.#expired = true;
    this.response.writeHead(503, { 'Content-Type': 'text/plain; charset=utf-8' });
    this.response.end('The server did not answer in time\n');
  }
}

/**
 * Calls back when the responses to earlier requests on this connection have left: a client may send the upgrade right
 * behind other requests, and ours must not overtake their answers.
 */
export function afterEarlierResponses(socket: Duplex, callback: () => void): void {
  // Node has taken its own listener away, and a reset would end the process.
  socket.on('error', ignore);
  const next = () => {
    if (socket.destroyed) return;
    // Node has no public name for the response that a socket is busy with.
    const earlier = (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage;
    if (!earlier) return callback();
    // As for our own response: nobody else tells it of room in the socket any more.
    const passDrainOn = () => earlier.emit('drain');
    socket.on('drain', passDrainOn);
    earlier.once('close', () => {
      socket.removeListener('drain', passDrainOn);
      next();
    });
  };
  next();
}

/**
 * Where a body ends and where the frames begin depends on the version of Node, so there must be none, but for the challenge of
 * some drafts, which some clients call a body.
 */
function checkBody({ headers }: IncomingMessage, challengeSize: number): void {
  const { 'content-length': length = '0' } = headers;
  if (length !== '0' && length !== String(challengeSize)) throw invalid(400, 'the request must not have a body');
}

/** Clients of the oldest draft know the answer by its first lines. */
function setHeadersFirst(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  // As they were written; the type has it for requests only.
  const names = (response as unknown as { getRawHeaderNames(): string[] }).getRawHeaderNames();
  const others = names.map((name) => [name, response.getHeader(name)] as const);
  for (const name of names) response.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  for (const [name, value] of others)
    if (value !== undefined && !response.hasHeader(name)) response.setHeader(name, value);
}

/**
 * Gives back an upgrade to another protocol, as if nobody listened for upgrades: the request, without the header that asks
 * for the upgrade, goes to the HTTP server once more, body, keep-alive and all.
 */
export function returnToHttp(server: { emit(event: string, socket: Duplex): boolean }, upgrade: Upgrade): void {
  const { request, socket, head } = upgrade;
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] as string;
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${request.rawHeaders[i + 1]}`);
  }
  // The HTTP server has a listener of its own for errors.
  socket.removeListener('error', ignore);
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

function invalid(statusCode: number, detail: string, headers = {}): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode, headers });
}

function ignore(): void {}
