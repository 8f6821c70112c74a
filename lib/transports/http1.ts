import { AsyncResource } from 'node:async_hooks';
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import { discardUntilClosed } from '../connection/byteStreamEnds';
import type { Acceptance, HandshakeAnswer, Offer, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import { knownVersions } from '../versions';
import { readChallenge } from './challenge';
import { ignoreError } from './earlierResponses';
import type { Exchange } from './exchange';
import type { Upgrade } from './foreignUpgrade';
import { Http1Acceptance } from './http1Acceptance';

/**
 * The state of an upgrade request: it waits for the application; `handshakeTimeout` has passed without an answer; the
 * 101 was sent; or the connection was destroyed because a hook of the application has thrown.
 */
type State = 'waiting' | 'expired' | 'accepted' | 'dropped';

/**
 * An upgrade request that can be answered like any other request, through a ServerResponse. Node has removed its parser
 * from the socket, and its listeners for 'error' and 'drain'.
 */
export class UpgradeExchange implements Exchange {
  readonly transport = 'http1';
  readonly versions = knownVersions;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #acceptance: Http1Acceptance;
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #timeout: number;
  /** Undefined until `waitForAnswer()`. */
  #deadline: NodeJS.Timeout | undefined;
  #state: State = 'waiting';
  /** Undefined until `prepare()`. */
  #answer: HandshakeAnswer | undefined;
  #protocolHeader = '';

  /** @param timeout milliseconds for the application to answer */
  constructor({ request, socket, head }: Upgrade, timeout: number) {
    this.request = request;
    this.#socket = socket;
    this.#head = head;
    this.#timeout = timeout;
    // Without this, `server.timeout` would apply to the socket of an open WebSocket.
    (socket as Partial<Socket>).setTimeout?.(0);
    const response = new ServerResponse(request);
    this.response = response;
    this.#acceptance = new Http1Acceptance(response);
    // Without a parser the connection cannot carry another request, and the response must not promise that it can.
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => this.#responseFinished());
  }

  /**
   * Called when the handler of the request has returned. If it has not called `connect()`, limits the time until the
   * answer, and notices a client that leaves. Most handlers have called it, and then the timer, a twentieth of the time of
   * a handshake, is not needed.
   */
  waitForAnswer(): void {
    if (this.#state !== 'waiting') return;
    const socket = this.#socket;
    // Fill the buffer of the socket, so that 'end' and 'close' are emitted while the handler has not answered. A client
    // that only ends its side has left too, as for Node's HTTP server.
    socket.on('end', this.#inputEnded);
    socket.read(0);
    socket.on('drain', this.#passDrainOn);
    this.#deadline = setTimeout(() => this.#expire(), this.#timeout);
    socket.on('close', this.#clearDeadline);
  }

  get authority(): string | undefined {
    return this.request.headers.host;
  }

  /** Checks the rules of RFC 6455 §4.2.1, items 1 to 4. */
  check(): void {
    const { method, httpVersion, headers, rawHeaders } = this.request;
    if (method !== 'GET') throw invalid(405, `the method must be GET, not ${method}`, { Allow: 'GET' });
    if (httpVersion !== '1.1') throw invalid(400, `the HTTP version must be 1.1, not ${httpVersion}`);
    let hosts = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) if (isHost(rawHeaders[i] as string)) hosts++;
    if (hosts !== 1) throw invalid(400, `there must be one Host header, not ${hosts}`);
    if (headers['transfer-encoding'] !== undefined) throw invalid(400, 'the request must not have a body');
  }

  prepare({ wire }: Offer): void {
    const answer = wire.answer(this.request, 'encrypted' in this.request.socket);
    checkBody(this.request, answer.challenge?.size ?? 0);
    this.#answer = answer;
    this.#protocolHeader = wire.protocolHeader;
  }

  abandon(): void {
    this.#socket.destroy();
  }

  onUnaccepted(callback: (how: { refused: boolean }) => void): void {
    this.response.once('close', () => {
      if (this.#state === 'accepted') return;
      const answered = this.response.headersSent && this.#state !== 'dropped';
      if (answered) this.#publishRefusal();
      callback({ refused: answered && this.#state !== 'expired' });
    });
  }

  refuse({ message, statusCode = 400, headers }: WebSocketError): void {
    this.answer(statusCode, `${message}\n`, headers);
    this.#publishRefusal();
  }

  answer(statusCode: number, body: string, headers: OutgoingHttpHeaders = {}): void {
    try {
      this.response.writeHead(statusCode, {
        'Content-Type': 'text/plain; charset=utf-8',
        // Without Content-Length, Node sends the body in chunks, whose framing some proxies pass on as part of the
        // body.
        'Content-Length': Buffer.byteLength(body),
        ...headers,
      });
      this.response.end(body);
    } catch {
      this.#drop();
    }
  }

  #drop(): void {
    this.#state = 'dropped';
    this.#socket.destroy();
  }

  #publishRefusal(): void {
    const { request, response } = this;
    if (diagnostics.refused.hasSubscribers) diagnostics.refused.publish({ request, response });
  }

  accept({ protocol, extensions, headers }: Acceptance, opened: (transport: Transport) => void): void {
    const { response } = this;
    const socket = this.#socket;
    // connect() was called after handshakeTimeout had passed, which is no mistake of the program: give it a destroyed
    // stream.
    if (this.#state !== 'waiting') return opened({ stream: socket.destroy(), head: Buffer.alloc(0) });
    if (response.headersSent || response.writableEnded) throw new WebSocketError('WS_ERR_RESPONSE_STARTED');
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
    const answer = this.#answer as HandshakeAnswer;
    const handshake: Record<string, string> = { ...answer.headers };
    if (protocol !== '') handshake[this.#protocolHeader] = protocol;
    if (extensions !== '') handshake['Sec-WebSocket-Extensions'] = extensions;
    try {
      this.#acceptance.send({ statusMessage: answer.statusMessage, headers: handshake });
    } catch (error) {
      // A hook has thrown after the 101 was written, so no other answer can be sent.
      if (this.#acceptance.sent) this.#drop();
      throw error;
    }
    this.#state = 'accepted';
    // A client may end its side with its Close frame, and wait for ours. Sockets of `https` servers would end with it.
    socket.allowHalfOpen = true;
    if (this.#deadline !== undefined) {
      this.#clearDeadline();
      socket.removeListener('drain', this.#passDrainOn);
      socket.removeListener('end', this.#inputEnded);
      socket.removeListener('close', this.#clearDeadline);
    }
    const transport = { stream: socket, head: this.#head };
    const { challenge } = answer;
    if (challenge === undefined) {
      opened(transport);
      // The WebSocket has its own 'error' listener now, and two listeners need an array for as long as the connection
      // lives.
      if (socket.listenerCount('error') > 1) socket.removeListener('error', ignoreError);
      return;
    }
    // The challenge is received outside of the asynchronous context that the request was handled in.
    const openedLater = AsyncResource.bind(opened);
    // If the stream closes before the challenge is received, the WebSocket is given the closed stream.
    const lost = () => openedLater(transport);
    socket.once('close', lost);
    const tail = { ...transport, request: this.request };
    readChallenge(tail, challenge.size, this.#timeout, (bytes, ready) => {
      socket.removeListener('close', lost);
      socket.write(challenge.reply(bytes));
      openedLater(ready);
    });
  }

  /** Replaces Node's own 'drain' listener, which was removed. Without it, sending a large body would stop. */
  readonly #passDrainOn = () => this.response.emit('drain');

  readonly #clearDeadline = () => clearTimeout(this.#deadline);

  readonly #inputEnded = () => {
    // A client that has sent frames may have sent everything that it wanted to send. The WebSocket must then report its
    // end.
    if (!this.response.headersSent && this.#head.length === 0) this.#socket.destroy();
  };

  #responseFinished(): void {
    const response = this.response;
    this.#clearDeadline();
    response.detachSocket(this.#socket as Socket);
    process.nextTick(() => response.emit('close'));
    if (this.#state === 'accepted') return;
    this.#socket.end();
    discardUntilClosed({ stream: this.#socket }, this.#timeout);
  }

  /**
   * Called when the application has not answered in time. A response that has been started, also our 503, may go on as
   * long as the peer reads.
   */
  #expire(): void {
    const socket = this.#socket;
    (socket as Partial<Socket>).setTimeout?.(this.#timeout, () => socket.destroy());
    if (this.response.headersSent) return;
    this.#state = 'expired';
    this.answer(503, 'The server did not answer in time\n');
  }
}

/**
 * Refuses a request with a body, except the challenge of some drafts, which some clients declare as a body. Whether
 * Node reads the body, or leaves it in the bytes after the headers, depends on the version of Node.
 */
function checkBody({ headers }: IncomingMessage, challengeSize: number): void {
  const { 'content-length': length = '0' } = headers;
  if (length !== '0' && length !== String(challengeSize)) throw invalid(400, 'the request must not have a body');
}

function isHost(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'host';
}

function invalid(statusCode: number, detail: string, headers = {}): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode, headers });
}
