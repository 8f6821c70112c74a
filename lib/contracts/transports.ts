import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { ExtensionElement } from './extensions';
import type { Version } from './frames';
import type { ProtocolVersion } from './versions';

/** What carries a WebSocket: the connection of an HTTP/1.1 upgrade, a stream of an HTTP/2 session, or memory, for a pair. */
export type TransportName = 'http1' | 'http2' | 'pair';

/** A connection that can learn from its transport that the peer is gone. */
export interface WatchedConnection {
  /** The peer is gone, although the byte stream has not ended. */
  peerLost(): void;
}

/** The keepalive of an HTTP/2 session, on which the byte streams of several connections depend. */
export interface SessionKeepalive {
  /** @param settings milliseconds of silence before the session sends a PING, and milliseconds for the answer */
  watch(connection: WatchedConnection, settings: { readonly interval: number; readonly timeout: number }): void;
  unwatch(connection: WatchedConnection): void;
}

/** An open byte stream, with the bytes that its handshake read too far. */
export interface Transport {
  readonly stream: Duplex;
  readonly head: Buffer;
  /** Bytes that the stream should be given at a time. Default: any number. */
  readonly largestWrite?: number;
  /** Cuts the stream off, so that the peer sees that it was. Default: `stream.destroy()`. */
  readonly reset?: (() => void) | undefined;
  /** The keepalive of the HTTP/2 session that the stream belongs to. Default: the stream belongs to no session. */
  readonly sessionKeepalive?: SessionKeepalive | undefined;
}

/** A request over HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response over HTTP/1.1 or HTTP/2. */
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** An opening request that may be accepted. */
export interface Offer {
  readonly wire: ProtocolVersion;
  readonly version: Version;
  /** The subprotocols that the client offers, in its order. */
  readonly protocols: readonly string[];
  /** The extensions that the client offers, in its order. */
  readonly extensions: readonly ExtensionElement[];
}

/** An opening request, over any transport. */
export interface OpeningRequest {
  readonly request: HttpRequest;
  /** The host, and perhaps the port, that the request is for: the `Host` header or, over HTTP/2, `:authority`. */
  readonly authority: string | undefined;
  /** The versions that the transport can carry. */
  readonly versions: readonly Version[];
}

/** What the handshake has agreed on. */
export interface Agreement {
  readonly transport: TransportName;
  readonly version: Version;
  readonly protocol: string;
  /** The extensions in use, as the server's answer has them; '' for none. */
  readonly extensions: string;
}

/** How an opening request is accepted. */
export interface Acceptance {
  /** The chosen subprotocol, '' for none. */
  readonly protocol: string;
  /** The chosen extensions, '' for none. */
  readonly extensions: string;
  readonly headers: OutgoingHttpHeaders;
}

/** A checked opening request that waits for the application's word. A transport makes it; the WebSocket uses it once. */
export interface Opening {
  readonly transport: TransportName;
  readonly request: HttpRequest;
  readonly wire: ProtocolVersion;
  readonly version: Version;
  /** The subprotocols that the client offered, in its order. */
  readonly protocols: readonly string[];
  /** The extensions that the client offered, in its order. */
  readonly extensions: readonly ExtensionElement[];
  /**
   * Sends the positive answer. Throws if an ordinary response has begun.
   * @param opened called with the transport, at once or when the rest of the handshake is over
   */
  accept(acceptance: Acceptance, opened: (transport: Transport) => void): void;
  /** Calls back when the request is over without having been accepted: refused by the application, or the client has left. */
  onUnaccepted(callback: (how: { readonly refused: boolean }) => void): void;
  /** Drops the request's connection without an answer. */
  abandon(): void;
}

/** What a client's handshake reports to its WebSocket, once. */
export interface DialResult {
  opened(transport: Transport, agreement: Agreement): void;
  failed(error: Error): void;
}

/** Starts a client's handshake, or brings a transport that is open already. Returns a function that gives the handshake up. */
export type Dial = (result: DialResult) => () => void;
