import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { discardUntilClosed } from '../connection/byteStreamEnds';
import type { Acceptance, Opening, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import type { Offer } from '../server/negotiation';
import { http2Versions } from '../versions';
import type { Exchange } from './exchange';
import { resetStream, transportOn } from './http2Streams';

/** What middleware may have set on our response, and has no meaning for a byte stream. */
const headersOfOrdinaryResponses = ['content-length', 'trailer'];

/** What speaks about a connection has no place in HTTP/2 (RFC 9113 §8.2.2). */
const headersOfConnections = new Set(['connection', 'upgrade']);

/** What is done to a response, and must not be done to its stream when that is a WebSocket. */
type Guarded = 'end' | 'destroy' | 'write';

/**
 * An extended CONNECT (RFC 8441 §5) that the application answers as it answers a GET over HTTP/1.1: by any response, or by
 * `connect()`, which makes the stream of the request a stream of frames.
 */
export class ExtendedConnectExchange implements Exchange {
  readonly versions = http2Versions;
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly #stream: ServerHttp2Stream;
  readonly #timeout: number;
  readonly #deadline: NodeJS.Timeout;
  #accepted = false;
  #expired = false;
  #whenUnaccepted: ((how: { refused: boolean }) => void) | undefined;

  /** @param timeout milliseconds for the application to answer */
  constructor(request: Http2ServerRequest, response: Http2ServerResponse, timeout: number) {
    this.request = request;
    this.response = response;
    this.#stream = request.stream as ServerHttp2Stream;
    this.#timeout = timeout;
    // To a router this is the GET that a WebSocket is over HTTP/1.1. What it was stays in `headers[':method']`.
    Object.defineProperty(request, 'method', { value: 'GET', writable: true, enumerable: true, configurable: true });
    this.#guardResponse();
    this.#deadline = setTimeout(() => this.#expire(), timeout);
    this.#stream.once('close', this.#clearDeadline);
    this.#stream.once('finish', this.#responseFinished);
  }

  get authority(): string | undefined {
    const { ':authority': authority, host } = this.request.headers;
    return authority ?? host;
  }

  get session(): ServerHttp2Session | undefined {
    return this.#stream.session as ServerHttp2Session | undefined;
  }

  /** That there are a scheme, a path and an authority (RFC 8441 §4) is for Node to see. */
  check(): void {
    // The stream of the request is the connection.
    if (this.#stream.endAfterHeaders) throw invalid('the request must not end its stream');
    if (this.request.headers['content-length'] !== undefined) throw invalid('the request must not have a body');
  }

  opening(offer: Offer): Omit<Opening, 'onUnaccepted'> {
    return {
      transport: 'http2',
      request: this.request,
      ...offer,
      accept: (acceptance, opened) => this.#accept(offer, acceptance, opened),
      abandon: () => resetStream(this.#stream),
    };
  }

  onUnaccepted(callback: (how: { refused: boolean }) => void): void {
    this.#whenUnaccepted = callback;
    this.#stream.once('close', this.#closed);
  }

  readonly #closed = () => {
    const refused = this.#stream.headersSent;
    if (refused) this.#publishRefusal();
    this.#whenUnaccepted?.({ refused: refused && !this.#expired });
  };

  refuse({ message, statusCode = 400, headers = {} }: WebSocketError): void {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined && !headersOfConnections.has(name.toLowerCase())) this.response.setHeader(name, value);
    }
    // 426 asks for an upgrade (RFC 9110 §15.5.22), and HTTP/2 has none.
    this.#answer(statusCode === 426 ? 400 : statusCode, message);
    this.#publishRefusal();
  }

  #answer(statusCode: number, message: string): void {
    this.response.writeHead(statusCode, { 'Content-Type': 'text/plain; charset=utf-8' });
    this.response.end(`${message}\n`);
  }

  #publishRefusal(): void {
    const { request, response } = this;
    if (diagnostics.refused.hasSubscribers) diagnostics.refused.publish({ request, response });
  }

  #accept(
    { wire }: Offer,
    { protocol, extensions, headers }: Acceptance,
    opened: (transport: Transport) => void,
  ): void {
    const { response } = this;
    const stream = this.#stream;
    // Late because we were impatient: the program has made no mistake, and finds a connection that is gone.
    if (this.#expired) {
      resetStream(stream);
      return opened(transportOn(stream));
    }
    if (stream.headersSent || response.writableEnded) throw new WebSocketError('WS_ERR_RESPONSE_STARTED');
    const answer: Record<string, string> = {};
    if (protocol !== '') answer[wire.protocolHeader] = protocol;
    if (extensions !== '') answer['Sec-WebSocket-Extensions'] = extensions;
    for (const name of headersOfOrdinaryResponses) response.removeHeader(name);
    for (const [name, value] of Object.entries({ ...headers, ...answer }))
      if (value !== undefined) response.setHeader(name, value);
    const { statusCode } = response;
    // Through the response, whoever has decorated it: cookies, header hooks and access logs see the 200.
    try {
      response.writeHead(200);
    } catch (error) {
      // A hook has thrown, and the program may still answer in another way.
      for (const name of Object.keys(answer)) response.removeHeader(name);
      response.statusCode = statusCode;
      throw error;
    }
    this.#accepted = true;
    this.#clearDeadline();
    stream.removeListener('close', this.#clearDeadline);
    stream.removeListener('close', this.#closed);
    stream.removeListener('finish', this.#responseFinished);
    // Node's own listeners, which serve the request and its response: frames are not the body of the one, and room for frames is none
    // for the other. What they still have to know is that the stream ends.
    for (const event of ['data', 'drain', 'timeout', 'trailers', 'aborted']) stream.removeAllListeners(event);
    // Middleware that waits for the end of the response has its turn.
    response.end();
    // From now on without this exchange, which a connection need not keep.
    Object.assign(response, { end: endNothing, destroy: endNothing, write: writeNothing });
    opened(transportOn(stream));
  }

  /**
   * To Node the response and its stream are one. Once the stream is a WebSocket, whoever ends or destroys the response, or
   * writes a body that there is none of, means the response only.
   */
  #guardResponse(): void {
    const response = this.response as unknown as Record<Guarded, (...parameters: unknown[]) => unknown>;
    for (const [name, after] of [
      ['end', endNothing],
      ['destroy', endNothing],
      ['write', writeNothing],
    ] as const) {
      const before = response[name];
      response[name] = (...parameters) => (this.#accepted ? after : before).apply(response, parameters);
    }
  }

  readonly #clearDeadline = () => clearTimeout(this.#deadline);

  /**
   * An ordinary response has left, and the client is to end its side of the stream. To reset it at once (RFC 9113 §8.1) would cost
   * clients that take a reset for the end of everything the rest of the response, Node's own among them.
   */
  readonly #responseFinished = () => {
    const stream = this.#stream;
    this.#clearDeadline();
    discardUntilClosed({ stream, reset: () => stream.close() }, this.#timeout);
  };

  /** The application has not answered in time. A response that has begun, ours too, may go on for as long as the peer takes bytes. */
  #expire(): void {
    const stream = this.#stream;
    stream.setTimeout(this.#timeout, () => resetStream(stream));
    if (stream.headersSent) return;
    this.#expired = true;
    this.#answer(503, 'The server did not answer in time');
  }
}

function endNothing(this: unknown, ...parameters: unknown[]): unknown {
  callBack(parameters);
  return this;
}

function writeNothing(...parameters: unknown[]): boolean {
  callBack(parameters);
  return false;
}

function callBack(parameters: unknown[]): void {
  const callback = parameters.find((parameter) => typeof parameter === 'function');
  if (callback !== undefined) process.nextTick(callback as () => void);
}

function invalid(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 400 });
}
