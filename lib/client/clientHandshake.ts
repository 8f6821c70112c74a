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
  Http2Opening,
} from '../transports/clientAttempt';
import { Http1Attempt } from '../transports/http1Client';
import { Http2Attempt } from '../transports/http2Client';
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
  /** There if HTTP/2 is to be tried. */
  readonly http2?: Http2Opening | undefined;
}

export interface ClientOpeningOwner {
  /** The server has accepted; its answer is still to be looked at, and throws if it is not acceptable. */
  accepted(headers: IncomingHttpHeaders, transport: Transport, how: Pick<Agreement, 'transport' | 'version'>): void;
  failed(error: WebSocketError): void;
}

/** Bytes of a refusal that are kept for whoever wants to know why. */
const longestBody = 64 * 1024;

/**
 * Sends an opening request, and again where the answer says so, and reads the answer, up to the first frame.
 * @returns what gives it up
 */
export function openClient(opening: ClientOpening, owner: ClientOpeningOwner): () => void {
  const exchange = new ClientExchange(opening, owner);
  return () => exchange.giveUp();
}

/** A client's handshake: one exchange, however many requests it takes. */
class ClientExchange implements ClientAttemptOwner {
  readonly #opening: ClientOpening;
  readonly #owner: ClientOpeningOwner;
  #target: ClientTarget;
  #version: Version;
  /** Versions that no server has refused yet. */
  #versions: readonly Version[];
  /** There while HTTP/2 has not turned out to be out of the question. */
  #http2: Http2Opening | undefined;
  /** A connection that was made for HTTP/2, and turned out to be one for HTTP/1.1. */
  #connection: Duplex | undefined;
  #redirects = 0;
  #attempt: ClientAttempt;
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

  /** Anything but an acceptance. */
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
    // What is wrong behind the head of a refusal does not make it another answer.
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
    const connection = this.#connection;
    this.#connection = undefined;
    const handshake = this.#opening.handshake(this.#version, this.#target.location);
    return new Http1Attempt(this.#target, handshake, connection, this);
  }

  /** Asks once more, in another way. The program is not on the stack any more: what Node throws is a failure as others are. */
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
    // What one server cannot do, the next may; and a session that was given is one to the first.
    const elsewhere = next.location.origin !== this.#target.location.origin;
    if (elsewhere && this.#opening.http2 !== undefined) this.#http2 = { ...this.#opening.http2, session: true };
    this.#target = next;
    this.#sendAgain();
  }

  /** One of ours that a server which refuses the last one can speak (RFC 6455 §4.4). */
  #otherVersion({ statusCode, headers }: Answer): Version | undefined {
    if (statusCode < 400 || statusCode > 499) return undefined;
    this.#versions = this.#versions.filter((version) => version !== this.#version);
    const listed = splitList(headers['sec-websocket-version']?.toString() ?? '');
    return this.#versions.find((version) => listed.includes(version));
  }

  #refused({ statusCode, statusMessage, headers, body }: Answer): void {
    const start: Buffer[] = [];
    let size = 0;
    // Also if the rest of the body does not come, in time or at all: the answer is known.
    this.#refuse = () => {
      const kept = Buffer.concat(start).subarray(0, longestBody);
      this.#fail('WS_ERR_HANDSHAKE_REFUSED', `${statusCode} ${statusMessage}`, { statusCode, headers, body: kept });
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
