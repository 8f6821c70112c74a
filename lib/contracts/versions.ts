import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Decoder, DecoderOptions, Encoder, Role, Version } from './frames';

/** The part of an opening request that a version reads. */
export type RequestHead = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'url'>;

/** A server's answer to a valid opening request. */
export interface HandshakeAnswer {
  readonly statusMessage: string;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Bytes that the client sends after the headers of its request. The server sends a reply to them after the headers of
   * its response, before the first frame.
   */
  readonly challenge?: Challenge;
}

export interface Challenge {
  /** The size of the challenge in bytes. */
  readonly size: number;
  reply(challenge: Buffer): Buffer;
}

/** A client's opening request, and the check of the response. */
export interface ClientHandshake {
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes that are sent after the headers of the request. */
  readonly challenge?: Buffer;
  /** The size in bytes of the server's reply to the challenge, after the headers of the response. */
  readonly replySize: number;
  /** Throws a WebSocketError for an answer that does not prove that the server speaks this version. */
  verify(answer: Pick<IncomingMessage, 'headers'>, reply: Buffer): void;
}

/** The features of a version. The use of a feature that it does not have fails with WS_ERR_UNSUPPORTED. */
export interface Capabilities {
  /** Whether the version has binary messages. */
  readonly binary: boolean;
  /** Whether a message can be sent, and received, in fragments. */
  readonly fragments: boolean;
  /** Whether the version has pings and pongs. */
  readonly ping: boolean;
  /** Whether the version has a Close frame. If not, the end of the byte stream closes the connection. */
  readonly close: boolean;
  /** Whether the Close frame has a code and a reason. */
  readonly closeCode: boolean;
  /** Whether extensions can be negotiated. */
  readonly extensions: boolean;
  /** Whether a server may accept none of the subprotocols that a client has offered. */
  readonly declineProtocol: boolean;
}

/**
 * The versions that share one wire format, as data and functions. No file outside of `versions/` depends on a certain
 * version.
 */
export interface ProtocolVersion {
  readonly versions: readonly Version[];
  /** Whether a server accepts these versions by default. */
  readonly byDefault: boolean;
  readonly capabilities: Capabilities;
  /**
   * Returns the version that a request asks for, also if it is unknown, or undefined if the request belongs to another
   * wire format.
   */
  claims(headers: IncomingHttpHeaders): string | undefined;
  /** Returns the name of the header in which a client of this version sends its origin. */
  originHeader(version: Version): 'origin' | 'sec-websocket-origin';
  /**
   * The version and the headers of a request over HTTP/2 (RFC 8441 §5), which has no keys; undefined if the wire format
   * cannot be used over HTTP/2.
   */
  readonly extendedConnect?: {
    readonly version: Version;
    headers(origin: string | undefined): Readonly<Record<string, string>>;
  };
  /** The name of the header that lists subprotocols. */
  readonly protocolHeader: 'Sec-WebSocket-Protocol' | 'WebSocket-Protocol';
  /**
   * Checks the client's keys and returns the server's answer to them. Throws a WebSocketError with a `statusCode`.
   * @param secure whether the connection is encrypted
   */
  answer(request: RequestHead, secure: boolean): HandshakeAnswer;
  /**
   * Makes a client's opening request.
   * @param location the URL, with the scheme ws or wss
   */
  connect(version: Version, location: URL, origin: string | undefined): ClientHandshake;
  decoder(role: Role, options: DecoderOptions): Decoder;
  encoder(role: Role): Encoder;
}
