import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Decoder, DecoderOptions, Encoder, Role, Version } from './frames';

/** The part of an opening request that a version reads. */
export type RequestHead = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'url'>;

/** A server's answer to a valid opening request. */
export interface HandshakeAnswer {
  readonly statusMessage: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes that the client sends behind its request, and that the server replies to behind its answer, before the first frame. */
  readonly challenge?: Challenge;
}

export interface Challenge {
  /** Bytes of the challenge. */
  readonly size: number;
  reply(challenge: Buffer): Buffer;
}

/** A client's opening request, and the check of its answer. */
export interface ClientHandshake {
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes that are sent behind the request, if any. */
  readonly challenge?: Buffer;
  /** The number of bytes with which the server replies to the challenge, behind its answer. */
  readonly replySize: number;
  /** Throws a WebSocketError for an answer that does not prove that the server speaks this version. */
  verify(answer: Pick<IncomingMessage, 'headers'>, reply: Buffer): void;
}

/** The features that a version has. The use of another one is refused with WS_ERR_UNSUPPORTED. */
export interface Capabilities {
  /** Whether it has binary messages. */
  readonly binary: boolean;
  /** Whether a message can be sent, and received, in fragments. */
  readonly fragments: boolean;
  /** Whether it has pings and pongs. */
  readonly ping: boolean;
  /** Whether it has a Close frame. If not, the end of the byte stream closes the connection. */
  readonly close: boolean;
  /** Whether its Close frame has a code and a reason. */
  readonly closeCode: boolean;
  /** Whether extensions can be negotiated. */
  readonly extensions: boolean;
  /** Whether a server may accept none of the subprotocols that a client has offered. */
  readonly declineProtocol: boolean;
}

/** The versions that share one wire format, as data and functions. No file outside `versions/` depends on a certain one. */
export interface ProtocolVersion {
  readonly versions: readonly Version[];
  /** Whether a server accepts it by default. */
  readonly byDefault: boolean;
  readonly capabilities: Capabilities;
  /** Returns the version that a request asks for, known or not, if the request is one of this wire format. */
  claims(headers: IncomingHttpHeaders): string | undefined;
  /** Returns the name of the header in which a client of this version sends its origin. */
  originHeader(version: Version): 'origin' | 'sec-websocket-origin';
  /** The request for it over HTTP/2 (RFC 8441 §5), which has no keys; undefined if it cannot be used over HTTP/2. */
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
