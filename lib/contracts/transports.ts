import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { ExtensionElement } from './extensions';
import type { Version } from './frames';
import type { ProtocolVersion } from './versions';

/**
 * The transport of a WebSocket: the connection of an HTTP/1.1 upgrade, a stream of an HTTP/2 session, or memory, for a
 * pair.
 */
export type TransportName = 'http1' | 'http2' | 'pair';

/** A connection whose transport may report that the peer is lost. */
export interface WatchedConnection {
  /** Called when the peer is lost, although the byte stream has not ended. */
  peerLost(): void;
}

/** The keepalive of an HTTP/2 session, on which the byte streams of several connections depend. */
export interface SessionKeepalive {
  /**
   * @param settings `interval`: milliseconds of silence before the session sends a PING; `timeout`: milliseconds for
   * the answer
   */
  watch(connection: WatchedConnection, settings: { readonly interval: number; readonly timeout: number }): void;
  unwatch(connection: WatchedConnection): void;
}

/** An open byte stream, and the bytes of frames that were received together with the handshake (`head`). */
export interface Transport {
  readonly stream: Duplex;
  readonly head: Buffer;
  /** The most bytes of one write to the stream. Default: 256 KiB. */
  readonly largestWrite?: number;
  /** Destroys the stream in a way that the peer sees as a reset. Default: `stream.destroy()`. */
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
  /** The subprotocols that the client offers, in the client's order. */
  readonly protocols: readonly string[];
  /** The extensions that the client offers, in the client's order. */
  readonly extensions: readonly ExtensionElement[];
}

/** An opening request, over any transport. */
export interface OpeningRequest {
  readonly request: HttpRequest;
  /** The host, and perhaps the port, that the request is for: the `Host` header or, over HTTP/2, `:authority`. */
  readonly authority: string | undefined;
  /** The versions that can be used over the transport. */
  readonly versions: readonly Version[];
}

/** The result of a handshake. */
export interface Agreement {
  readonly transport: TransportName;
  readonly version: Version;
  readonly protocol: string;
  /** The extensions in use, as in the server's `Sec-WebSocket-Extensions`; '' for none. */
  readonly extensions: string;
}

/** The values with which an opening request is accepted. */
export interface Acceptance {
  /** The chosen subprotocol, '' for none. */
  readonly protocol: string;
  /** The chosen extensions, '' for none. */
  readonly extensions: string;
  readonly headers: OutgoingHttpHeaders;
}

/**
 * An opening request that has been checked and waits for `connect()` or a response. A transport makes it; the WebSocket
 * uses it once.
 */
export interface Opening {
  readonly transport: TransportName;
  readonly request: HttpRequest;
  readonly wire: ProtocolVersion;
  readonly version: Version;
  /** The subprotocols that the client offered, in the client's order. */
  readonly protocols: readonly string[];
  /** The extensions that the client offered, in the client's order. */
  readonly extensions: readonly ExtensionElement[];
  /**
   * Sends the 101, or over HTTP/2 the 200. Throws if the response has been started.
   * @param opened called with the transport, at once or when the handshake is complete, in the asynchronous context of
   * this call
   */
  accept(acceptance: Acceptance, opened: (transport: Transport) => void): void;
  /**
   * Calls `callback` when the request cannot be accepted any more: the application has refused it, or the client has
   * left.
   */
  onUnaccepted(callback: (how: { readonly refused: boolean }) => void): void;
  /** Destroys the connection of the request without a response. */
  abandon(): void;
}

/** The callbacks of a client's handshake. One of them is called, once. */
export interface DialResult {
  opened(transport: Transport, agreement: Agreement): void;
  failed(error: Error): void;
}

/** Starts a client's handshake, or opens a transport at once. Returns a function that gives the handshake up. */
export type Dial = (result: DialResult) => () => void;
