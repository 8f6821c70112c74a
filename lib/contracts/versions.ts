import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Decoder, DecoderOptions, Encoder, Role, Version } from './frames';

/** The part of an opening request that a draft looks at. */
export type RequestHead = Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'url'>;

/** What a server answers to a good opening request. */
export interface HandshakeAnswer {
  readonly statusMessage: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the client sends behind its request, and the server behind its answer, before the first frame. */
  readonly challenge?: Challenge;
}

export interface Challenge {
  /** Bytes of the challenge. */
  readonly size: number;
  reply(challenge: Buffer): Buffer;
}

/** A client's opening request, and what it expects of the answer. */
export interface ClientHandshake {
  readonly headers: Readonly<Record<string, string>>;
  /** What is sent behind the request, if anything. */
  readonly challenge?: Buffer;
  /** Bytes of the server's reply to it, behind its answer. */
  readonly replySize: number;
  /** Throws a WebSocketError for an answer that proves nothing. */
  verify(answer: Pick<IncomingMessage, 'headers'>, reply: Buffer): void;
}

/** What a protocol has a form for. What it has not is refused with WS_ERR_UNSUPPORTED. */
export interface Capabilities {
  readonly binary: boolean;
  /** Whether a message can be sent, and received, piece by piece. */
  readonly fragments: boolean;
  readonly ping: boolean;
  /** Whether either side says goodbye in a frame; where not, the end of the byte stream is the goodbye. */
  readonly close: boolean;
  /** Whether that frame has a code and a reason. */
  readonly closeCode: boolean;
  readonly extensions: boolean;
  /** Whether a server may leave a subprotocol that a client asked for unanswered. */
  readonly declineProtocol: boolean;
}

/** One protocol: data and functions. Nothing above `drafts/` knows which one it holds. */
export interface ProtocolVersion {
  readonly versions: readonly Version[];
  /** Whether a server accepts it unless told otherwise. */
  readonly byDefault: boolean;
  readonly capabilities: Capabilities;
  /** The version that a request asks for, if it is one of this kind of protocol, known or not. */
  claims(headers: IncomingHttpHeaders): string | undefined;
  /** The name of the header in which a client of this version states its origin. */
  originHeader(version: Version): 'origin' | 'sec-websocket-origin';
  /** How to ask for it over HTTP/2 (RFC 8441 §5), where nothing is proven by keys; undefined if it cannot be asked for. */
  readonly extendedConnect?: {
    readonly version: Version;
    headers(origin: string | undefined): Readonly<Record<string, string>>;
  };
  /** The name of the header for subprotocols. */
  readonly protocolHeader: 'Sec-WebSocket-Protocol' | 'WebSocket-Protocol';
  /**
   * Checks the client's keys and returns the answer that proves it. Throws a WebSocketError with a `statusCode`.
   * @param secure whether the connection is encrypted
   */
  answer(request: RequestHead, secure: boolean): HandshakeAnswer;
  /**
   * Makes a client's opening request.
   * @param location the URL that is asked for, with the scheme ws or wss
   */
  connect(version: Version, location: URL, origin: string | undefined): ClientHandshake;
  decoder(role: Role, options: DecoderOptions): Decoder;
  encoder(role: Role): Encoder;
}
