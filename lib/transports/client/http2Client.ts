import { STATUS_CODES } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { WebSocketError } from '../../errors';
import { resetStream, transportOn } from '../http2Streams';
import type { ClientAttempt, ClientAttemptOwner, ClientTarget, Http2Opening } from './clientAttempt';
import { useGivenSession } from './givenSession';
import type { SessionUse, SessionUser } from './session';
import { useSharedSession } from './sharedSessions';

/** An opening request over HTTP/2: an extended CONNECT (RFC 8441 §5). */
export class Http2Attempt implements ClientAttempt, SessionUser {
  readonly #target: ClientTarget;
  readonly #opening: Http2Opening;
  readonly #owner: ClientAttemptOwner;
  readonly #use: SessionUse;
  #stream: ClientHttp2Stream | undefined;
  #answered = false;
  #abandoned = false;

  constructor(target: ClientTarget, opening: Http2Opening, owner: ClientAttemptOwner) {
    this.#target = target;
    this.#opening = opening;
    this.#owner = owner;
    const { session } = opening;
    this.#use = session === true ? useSharedSession(target, this) : useGivenSession(session, this);
  }

  abandon(): void {
    this.#abandoned = true;
    this.#use.release();
    if (this.#stream !== undefined) resetStream(this.#stream);
  }

  /** The session can be used. */
  ready(session: ClientHttp2Session): void {
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(this.#requestHeaders(), { endStream: false });
    } catch (cause) {
      return this.failed(cause as Error);
    }
    this.#stream = stream;
    stream.once('response', (headers) => this.#responded(stream, headers));
    let error = new Error('the stream was reset');
    stream.on('error', (cause) => {
      error = cause;
    });
    stream.once('close', () => this.#closed(stream, error));
  }

  #closed({ rstCode }: ClientHttp2Stream, error: Error): void {
    // The server has not processed the request (RFC 9113 §8.7), perhaps because it was about to close the session.
    const again = rstCode === constants.NGHTTP2_REFUSED_STREAM && this.#use.refused();
    this.#use.release();
    if (this.#answered || this.#abandoned) return;
    // The server has this WebSocket over HTTP/1.1 only (RFC 9113 §7).
    if (rstCode === constants.NGHTTP2_HTTP_1_1_REQUIRED) this.#owner.unavailable(undefined);
    else if (again) this.#owner.unseen();
    else this.failed(error);
  }

  unavailable(connection: Duplex | undefined): void {
    if (this.#abandoned) connection?.destroy();
    else this.#owner.unavailable(connection);
  }

  failed(cause: Error): void {
    if (this.#abandoned) return;
    this.#owner.failed(new WebSocketError('WS_ERR_CONNECTION_FAILED', cause.message, { cause }));
  }

  #requestHeaders(): Record<string, string | string[]> {
    const { location, headers, requestOptions } = this.#target;
    const own: Record<string, string | string[]> = {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': location.protocol === 'wss:' ? 'https' : 'http',
      ':authority': location.host,
      ':path': location.pathname + location.search,
    };
    if (typeof requestOptions.auth === 'string')
      own['authorization'] = `Basic ${Buffer.from(requestOptions.auth).toString('base64')}`;
    for (const [name, value] of Object.entries({ ...this.#opening.headers, ...headers })) {
      const lowered = name.toLowerCase();
      own[lowered === 'host' ? ':authority' : lowered] = Array.isArray(value) ? value : String(value);
    }
    return own;
  }

  #responded(stream: ClientHttp2Stream, headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    if (this.#abandoned) return;
    this.#answered = true;
    this.#use.answered();
    const { ':status': statusCode = 0 } = headers;
    if (statusCode >= 200 && statusCode <= 299) return this.#owner.accepted(headers, transportOn(stream), 'http2');
    // Otherwise the stream stays open after the server's END_STREAM, until the server resets it.
    stream.end();
    const statusMessage = STATUS_CODES[statusCode] ?? '';
    this.#owner.answered({ statusCode, statusMessage, headers, body: stream });
  }
}
