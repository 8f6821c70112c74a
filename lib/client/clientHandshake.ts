import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import { splitList } from '../codec/headers';
import type { Agreement, Transport, TransportName, Version } from '../contracts';
import { WebSocketError, type WebSocketErrorDetails } from '../errors';
import type {
  Answer,
  ClientAttempt,
  ClientAttemptOwner,
  ClientOpeningRequest,
  ClientTarget,
  Http2Opening,
} from '../transports/client/clientAttempt';
import { Http1Attempt } from '../transports/client/http1Client';
import { Http2Attempt } from '../transports/client/http2Client';
import { redirected } from './redirects';

/** The input of a client's handshake. */
export interface ClientOpening {
  readonly target: ClientTarget;
  /**
   * The accepted versions, in order of preference. All but the first are tried only if a server names them in its
   * refusal.
   */
  readonly versions: readonly Version[];
  /** The most redirects to follow. */
  readonly redirects: number;
  /** Milliseconds for the whole handshake, redirects included. */
  readonly timeout: number;
  /** Makes the headers of an opening request. Each request has its own key. */
  handshake(version: Version, location: URL): ClientOpeningRequest;
  /** Undefined if HTTP/2 is not tried. */
  readonly http2?: Http2Opening | undefined;
}

export interface ClientOpeningOwner {
  /** The server has accepted. Throws if its subprotocol or its extensions are not acceptable. */
  accepted(headers: IncomingHttpHeaders, transport: Transport, how: Pick<Agreement, 'transport' | 'version'>): void;
  failed(error: WebSocketError): void;
}

/** Most bytes of the body of a refusal that are kept for the error. */
const longestBody = 64 * 1024;

/**
 * Sends an opening request, and more requests for redirects and other versions, and reads the response up to the first
 * frame.
 * @returns a function that gives the handshake up
 */
export function openClient(opening: ClientOpening, owner: ClientOpeningOwner): () => void {
  const exchange = new ClientExchange(opening, owner);
  return () => exchange.giveUp();
}

/** A client's handshake: one or more requests, with one deadline. */
class ClientExchange implements ClientAttemptOwner {
  readonly #opening: ClientOpening;
  readonly #owner: ClientOpeningOwner;
  #target: ClientTarget;
  #version: Version;
  /** The versions that no server has refused. */
  #versions: readonly Version[];
  /** Undefined if HTTP/2 is not tried, or if a server does not offer it. */
  #http2: Http2Opening | undefined;
  /** A connection that was made for HTTP/2, and on which the server chose HTTP/1.1. */
  #connection: Duplex | undefined;
  #redirects = 0;
  #attempt: ClientAttempt;
  /** The deadline of the whole handshake: all redirects, the response, and the reply to a challenge after it. */
  readonly #deadline: NodeJS.Timeout;
  /** Fails with the part of a refusal that was received. Undefined until its headers were received. */
  #refuse: (() => void) | undefined;
  #over = false;

  constructor(opening: ClientOpening, owner: ClientOpeningOwner) {
    this.#opening = opening;
    this.#owner = owner;
    this.#target = opening.target;
    this.#versions = opening.versions;
    this.#version = this.#versions[0] as Version;
    this.#http2 = opening.http2;
    this.#attempt = this.#send();
    this.#deadline = setTimeout(() => this.#expire(), opening.timeout);
  }

  giveUp(): void {
    this.#finish();
    this.#attempt.abandon();
    this.#connection?.destroy();
  }

  accepted(headers: IncomingHttpHeaders, transport: Transport, name: TransportName): void {
    this.#finish();
    const version = this.#http2?.version ?? this.#version;
    try {
      this.#owner.accepted(headers, transport, { transport: name, version });
    } catch (error) {
      this.#failWith(error);
    }
  }

  /** Called when the server has sent a response that does not accept. */
  answered(answer: Answer): void {
    try {
      const next = this.#opening.redirects > 0 ? redirected(answer, this.#target) : undefined;
      if (next !== undefined) return this.#redirect(next, answer);
    } catch (error) {
      return this.#failWith(error);
    }
    const version = this.#otherVersion(answer);
    if (version === undefined) return this.#refused(answer);
    this.#version = version;
    this.#http2 = undefined;
    this.#sendAgain();
  }

  failed(error: WebSocketError): void {
    // If an error occurs in the body of a refusal, the refusal with its status is still the error to report.
    if (this.#refuse === undefined) this.#failWith(error);
  }

  unseen(): void {
    this.#sendAgain();
  }

  unavailable(connection: Duplex | undefined): void {
    this.#http2 = undefined;
    this.#connection = connection;
    this.#sendAgain();
  }

  #send(): ClientAttempt {
    if (this.#http2 !== undefined) return new Http2Attempt(this.#target, this.#http2, this);
    const handshake = this.#opening.handshake(this.#version, this.#target.location);
    const attempt = new Http1Attempt(this.#target, handshake, this.#connection, this);
    // If Node has refused an option, giveUp() destroys the connection.
    this.#connection = undefined;
    return attempt;
  }

  /**
   * Sends another request. The program's call has returned, so exceptions of Node become failures of the connection.
   */
  #sendAgain(): void {
    this.#attempt.abandon();
    try {
      this.#attempt = this.#send();
    } catch (cause) {
      this.#fail('WS_ERR_CONNECTION_FAILED', (cause as Error).message, { cause });
    }
  }

  #expire(): void {
    if (this.#refuse !== undefined) this.#refuse();
    else this.#fail('WS_ERR_HANDSHAKE_TIMEOUT');
  }

  #redirect(next: ClientTarget, { statusCode, headers }: Answer): void {
    if (this.#redirects++ >= this.#opening.redirects) {
      const detail = `more than ${this.#opening.redirects} redirects`;
      return this.#fail('WS_ERR_HANDSHAKE_REFUSED', detail, { statusCode, headers });
    }
    // The next server may offer HTTP/2 even if this one does not. A session of the program is only for the first
    // origin.
    const elsewhere = next.location.origin !== this.#target.location.origin;
    if (elsewhere && this.#opening.http2 !== undefined) this.#http2 = { ...this.#opening.http2, session: true };
    this.#target = next;
    this.#sendAgain();
  }

  /** Returns an accepted version that the server names in its refusal of the last one (RFC 6455 §4.4). */
  #otherVersion({ statusCode, headers }: Answer): Version | undefined {
    if (statusCode < 400 || statusCode > 499) return undefined;
    this.#versions = this.#versions.filter((version) => version !== this.#version);
    const listed = splitList(headers['sec-websocket-version']?.toString() ?? '');
    return this.#versions.find((version) => listed.includes(version));
  }

  #refused({ statusCode, statusMessage, headers, body }: Answer): void {
    const start: Buffer[] = [];
    let size = 0;
    // Also called if the rest of the body is late or lost, because the status and the headers are known.
    this.#refuse = () => {
      const kept = Buffer.concat(start).subarray(0, longestBody);
      // A status may have no text (RFC 9112 §4).
      const status = `${statusCode} ${statusMessage}`.trimEnd();
      this.#fail('WS_ERR_HANDSHAKE_REFUSED', status, { statusCode, headers, body: kept });
    };
    body.on('data', (bytes: Buffer) => {
      start.push(bytes);
      size += bytes.length;
      if (size >= longestBody) this.#refuse?.();
    });
    body.on('error', this.#refuse);
    body.once('close', this.#refuse);
  }

  #failWith(error: unknown): void {
    if (!(error instanceof WebSocketError)) throw error;
    this.giveUp();
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
