import type {
  Http2ServerRequest,
  Http2ServerResponse,
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import { clearTimeout, setTimeout } from 'node:timers';
import { discardUntilClosed } from '../connection/byteStreamEnds';
import type { Acceptance, Offer, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import { http2Versions } from '../versions';
import type { Exchange } from './exchange';
import { sendAcceptance } from './http2Acceptance';
import { resetStream, transportOn } from './http2Streams';

/** Header fields that our refusals have over HTTP/1.1, and that HTTP/2 forbids (RFC 9113 §8.2.2). */
const connectionFields = new Set(['connection', 'upgrade']);

/** The methods of a response that act on its stream, and must not do so once the stream is a WebSocket. */
type GuardedMethod = 'end' | 'destroy' | 'write';

/**
 * An extended CONNECT (RFC 8441 §5). The application answers it as it answers a GET over HTTP/1.1: with any response,
 * or with `connect()`, after which the stream of the request carries frames.
 */
export class ExtendedConnectExchange implements Exchange {
  readonly transport = 'http2';
  readonly versions = http2Versions;
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly #stream: ServerHttp2Stream;
  readonly #timeout: number;
  readonly #deadline: NodeJS.Timeout;
  #protocolHeader = '';
  #accepted = false;
  #expired = false;
  #whenUnaccepted: ((how: { refused: boolean }) => void) | undefined;

  /** @param timeout milliseconds for the application to answer */
  constructor(request: Http2ServerRequest, response: Http2ServerResponse, timeout: number) {
    this.request = request;
    this.response = response;
    this.#stream = request.stream as ServerHttp2Stream;
    this.#timeout = timeout;
    // Routers match the GET that opens a WebSocket over HTTP/1.1. The method that was sent stays in
    // `headers[':method']`.
    Object.defineProperty(request, 'method', { value: 'GET', writable: true, enumerable: true, configurable: true });
    endBody(request);
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

  /**
   * Checks the rules that Node does not check. Node itself refuses a request without a scheme, a path or an authority
   * (RFC 8441 §4).
   */
  check(): void {
    // The client sends its frames on the stream of the request.
    if (this.#stream.endAfterHeaders) throw invalid('the request must not end its stream');
    if (this.request.headers['content-length'] !== undefined) throw invalid('the request must not have a body');
  }

  prepare({ wire }: Offer): void {
    this.#protocolHeader = wire.protocolHeader.toLowerCase();
  }

  abandon(): void {
    resetStream(this.#stream);
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
    const allowed = Object.entries(headers).filter(([name]) => !connectionFields.has(name.toLowerCase()));
    // 426 asks for an upgrade (RFC 9110 §15.5.22), which HTTP/2 does not have.
    this.answer(statusCode === 426 ? 400 : statusCode, `${message}\n`, Object.fromEntries(allowed));
    this.#publishRefusal();
  }

  answer(statusCode: number, body: string, headers: OutgoingHttpHeaders = {}): void {
    try {
      this.response.writeHead(statusCode, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': Buffer.byteLength(body),
        ...headers,
      });
      this.response.end(body);
    } catch {
      resetStream(this.#stream);
    }
  }

  #publishRefusal(): void {
    const { request, response } = this;
    if (diagnostics.refused.hasSubscribers) diagnostics.refused.publish({ request, response });
  }

  accept({ protocol, extensions, headers }: Acceptance, opened: (transport: Transport) => void): void {
    const { response } = this;
    const stream = this.#stream;
    // connect() was called after handshakeTimeout had answered with 503: give it a destroyed stream.
    if (this.#expired) {
      resetStream(stream);
      return opened(transportOn(stream));
    }
    if (stream.headersSent || response.writableEnded) throw new WebSocketError('WS_ERR_RESPONSE_STARTED');
    const answer: Record<string, string> = {};
    if (protocol !== '') answer[this.#protocolHeader] = protocol;
    if (extensions !== '') answer['sec-websocket-extensions'] = extensions;
    this.#sendAcceptance({ ...headers, ...answer }, answer);
    this.#clearDeadline();
    stream.removeListener('close', this.#clearDeadline);
    stream.removeListener('close', this.#closed);
    stream.removeListener('finish', this.#responseFinished);
    // Node's listeners would treat frames as the body of the request, and 'drain' of the stream as 'drain' of the
    // response. The listeners for the end of the stream are kept.
    for (const event of ['data', 'drain', 'timeout', 'trailers', 'aborted']) stream.removeAllListeners(event);
    // Replaces the guards, which keep this exchange alive.
    Object.assign(response, { end: endNothing, destroy: endNothing, write: writeNothing });
    opened(transportOn(stream));
  }

  /** @param headers all header fields to set on the response, those of the handshake (`answer`) among them */
  #sendAcceptance(headers: OutgoingHttpHeaders, answer: Readonly<Record<string, string>>): void {
    const { response } = this;
    const { statusCode } = response;
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
    this.#accepted = true;
    try {
      sendAcceptance(response, this.#stream, answer);
      // Middleware may wait for the end of the response.
      response.end();
    } catch (error) {
      // A hook has thrown. Before the 200 was sent, the application can still send another response.
      this.#accepted = false;
      if (this.#stream.headersSent) resetStream(this.#stream);
      else {
        for (const name of Object.keys(answer)) response.removeHeader(name);
        response.statusCode = statusCode;
      }
      throw error;
    }
  }

  /**
   * Node's response and its stream end together. After the acceptance, `end()`, `destroy()` and `write()` of the
   * response must not act on the stream, which belongs to the WebSocket.
   */
  #guardResponse(): void {
    const response = this.response as unknown as Record<GuardedMethod, (...parameters: unknown[]) => unknown>;
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
   * An ordinary response was sent: wait for the client to end its side of the stream. A reset at once (RFC 9113 §8.1)
   * makes some clients, Node's among them, drop the rest of the response.
   */
  readonly #responseFinished = () => {
    const stream = this.#stream;
    this.#clearDeadline();
    discardUntilClosed({ stream, reset: () => stream.close() }, this.#timeout);
  };

  /**
   * Called when the application has not answered in time. A response that has been started, also our 503, may go on as
   * long as the peer reads.
   */
  #expire(): void {
    const stream = this.#stream;
    stream.setTimeout(this.#timeout, () => resetStream(stream));
    if (stream.headersSent) return;
    this.#expired = true;
    this.answer(503, 'The server did not answer in time\n');
  }
}

/**
 * Ends the body of the request at once: the stream carries frames. Without this, Node delivers the frames as a body
 * that has no end, and `request.resume()` discards them.
 */
function endBody(request: Http2ServerRequest): void {
  // Remove Node's listeners, which pause and resume the stream together with the request.
  for (const event of ['pause', 'resume']) request.removeAllListeners(event);
  request.push(null);
}

function endNothing(this: unknown, ...parameters: unknown[]): unknown {
  callBack(parameters);
  return this;
}

/** Discards the bytes. If it returned false, a source that is piped to the response would wait for 'drain' forever. */
function writeNothing(...parameters: unknown[]): boolean {
  callBack(parameters);
  return true;
}

function callBack(parameters: unknown[]): void {
  const callback = parameters.find((parameter) => typeof parameter === 'function');
  if (callback !== undefined) process.nextTick(callback as () => void);
}

function invalid(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail, { statusCode: 400 });
}
