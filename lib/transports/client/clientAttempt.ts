import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { RequestOptions } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import type { ClientHandshake, Transport, TransportName, Version } from '../../contracts';
import type { WebSocketError } from '../../errors';

/** The server of an opening request, and the program's options and headers for the request. */
export interface ClientTarget {
  /** The URL with the scheme ws or wss, without a fragment, without name and password. */
  readonly location: URL;
  readonly headers: OutgoingHttpHeaders;
  /** The program's options for Node's `http.request()`, `tls.connect()` and `net.connect()`. */
  readonly requestOptions: RequestOptions;
}

/** The headers of an upgrade request, and the check of the response. */
export interface ClientOpeningRequest extends ClientHandshake {
  /** The headers that offer subprotocols and extensions. */
  readonly offers: OutgoingHttpHeaders;
}

/** The headers of an extended CONNECT (RFC 8441), and its session. */
export interface Http2Opening {
  /** The session to use, or true for the shared session. */
  readonly session: ClientHttp2Session | true;
  readonly version: Version;
  /** The headers of the request. */
  readonly headers: OutgoingHttpHeaders;
}

/** One opening request of a client that was sent. */
export interface ClientAttempt {
  /** Destroys the connection of the attempt. The owner is not called after that. */
  abandon(): void;
}

/** A response that does not accept the request. */
export interface Answer {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** The owner of an attempt. One of these methods is called, once, and never inside the constructor of the attempt. */
export interface ClientAttemptOwner {
  /** The server has accepted, and the response was verified. */
  accepted(headers: IncomingHttpHeaders, transport: Transport, name: TransportName): void;
  answered(answer: Answer): void;
  failed(error: WebSocketError): void;
  /** The connection had served another request, and the server closed it before it received this one. */
  unseen(): void;
  /**
   * The server has no WebSockets over this transport.
   * @param connection a connection to the server on which HTTP/1.1 can be spoken
   */
  unavailable(connection: Duplex | undefined): void;
}
