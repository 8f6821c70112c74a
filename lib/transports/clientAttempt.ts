import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { Duplex, Readable } from 'node:stream';
import type { ClientHandshake, Transport, TransportName, Version } from '../contracts';
import type { WebSocketError } from '../errors';

/** What an upgrade says. */
export interface ClientOpeningRequest extends ClientHandshake {
  /** What the request says beside its proof: subprotocols and extensions. */
  readonly offers: OutgoingHttpHeaders;
}

/** What an extended CONNECT says, and on which session. */
export interface Http2Opening {
  /** The session to use, or true for one that all share. */
  readonly session: ClientHttp2Session | true;
  readonly version: Version;
  /** What the request says. */
  readonly headers: OutgoingHttpHeaders;
}

/** One opening request of a client, on its way. */
export interface ClientAttempt {
  /** From now on nothing is told of it, and what it holds is dropped. */
  abandon(): void;
}

/** An answer that does not accept. */
export interface Answer {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** What an attempt has to tell, never while it is being made, and one thing only. */
export interface ClientAttemptOwner {
  /** The server has accepted, and has proven that it knows what. */
  accepted(headers: IncomingHttpHeaders, transport: Transport, name: TransportName): void;
  answered(answer: Answer): void;
  failed(error: WebSocketError): void;
  /** The connection had served before, and the server has given it up before it saw the request. */
  unseen(): void;
  /**
   * The server has no WebSockets over this transport.
   * @param connection one to the server that can be used otherwise
   */
  unavailable(connection: Duplex | undefined): void;
}
