/**
 * The plug points of the library, as types. A draft, a transport or a stream that keeps these contracts fits the rest,
 * and none of them needs to import another.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';

/** Which end of the connection we are: a client masks what it sends, a server must not (RFC 6455 §5.1). */
export type Role = 'server' | 'client';

/** The protocol versions that the library speaks: as `Sec-WebSocket-Version` names them, or the drafts from before there was one. */
export type Version = '13' | '8' | '7' | 'draft03' | 'draft76' | 'draft75';

/** One message. Its JavaScript type is its kind: a string is a text message, a Buffer a binary one. */
export type Message = string | Buffer;

export interface PingFrame {
  readonly opcode: 'ping' | 'pong';
  /** At most 125 bytes (RFC 6455 §5.5). */
  readonly payload: Uint8Array;
}

export interface CloseFrame {
  readonly opcode: 'close';
  /** 1005 stands for a Close frame without a body (RFC 6455 §7.1.5). */
  readonly code: number;
  readonly reason: string;
  /** In drafts without codes: the peer's words, which our answer must repeat. */
  readonly body?: Uint8Array;
}

/** A frame that may come between the fragments of a message (RFC 6455 §5.5). */
export type ControlFrame = PingFrame | CloseFrame;

/** A message, or one fragment of it, named explicitly: for a kind that the payload's type does not tell, or for `fin: false`. */
export interface DataFrame {
  readonly opcode: 'text' | 'binary' | 'continuation';
  /** Whether the message ends with this frame. Default true. */
  readonly fin?: boolean;
  readonly payload: string | Uint8Array;
  /** Whether to compress it, where that was agreed on. Default: if it is large enough. */
  readonly compress?: boolean;
  /** The payload is compressed already: the frame says so (RSV1, RFC 7692 §6). Default false. */
  readonly compressed?: boolean;
}

/** A message as its frames had it, which only the extension that they name can read (RFC 7692 §6). */
export interface CompressedMessage {
  readonly opcode: 'text' | 'binary';
  readonly compressed: true;
  readonly payload: Buffer;
}

/** What comes out of a Deframer. */
export type Incoming = Message | ControlFrame;

/** A message that is sent on many connections, and encoded once for all that would send the same bytes. */
export interface PreparedFrames {
  readonly opcode: 'prepared';
  readonly message: DataFrame;
  /** What was made for this variant before, or is made now. */
  once<T>(variant: string, make: () => T): T;
}

/** What an Encoder writes. */
export type Encodable = string | Uint8Array | ControlFrame | DataFrame;

/** What goes into a Framer. */
export type Outgoing = Encodable | PreparedFrames;

export interface DecoderOptions {
  /** Bytes of one message, all fragments together. */
  readonly maxMessageSize: number;
  /** Whether messages may come compressed. Default false. */
  readonly compression?: boolean;
}

/**
 * Turns bytes into messages and control frames, one at a time, so that whoever pulls decides when to stop.
 * Throws a WebSocketError at the first byte that the protocol forbids.
 */
export interface Decoder {
  /** Hands over the next bytes. The previous ones must be used up: `next()` has returned undefined. */
  feed(chunk: Buffer): void;
  next(): Incoming | CompressedMessage | undefined;
  /** The byte stream has ended: throws if that cuts a frame or a message in two. */
  finish(): void;
}

/** Where an Encoder puts its bytes. */
export interface ByteSink {
  /** Makes room for `size` contiguous bytes and returns where they start in `bytes`. */
  reserve(size: number): number;
  readonly bytes: Buffer;
  /** Says how many of the reserved bytes have been written. */
  commit(size: number): void;
  /** Queues bytes by reference, behind all that was committed. */
  append(bytes: Uint8Array): void;
}

/** Writes one item into a sink. Throws a WebSocketError for what the version cannot carry. */
export type Encoder = (item: Encodable, sink: ByteSink) => void;

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
export interface Abilities {
  readonly binary: boolean;
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
export interface Draft {
  readonly versions: readonly Version[];
  /** Whether a server accepts it unless told otherwise. */
  readonly byDefault: boolean;
  readonly can: Abilities;
  /** The version that a request asks for, if it is one of this kind of protocol, known or not. */
  claims(headers: IncomingHttpHeaders): string | undefined;
  /** The name of the header in which a client of this version states its origin. */
  originHeader(version: Version): 'origin' | 'sec-websocket-origin';
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

/** The parameters of an extension, in their order (RFC 6455 §9.1). One without a value has undefined. */
export type ExtensionParameters = readonly (readonly [name: string, value: string | undefined])[];

/** One element of a `Sec-WebSocket-Extensions` header. */
export interface ExtensionElement {
  readonly name: string;
  readonly parameters: ExtensionParameters;
}

/** The settings of permessage-deflate (RFC 7692). */
export interface PerMessageDeflateOptions {
  /** The server forgets each message: less memory, less compression. Default false. */
  serverNoContextTakeover?: boolean;
  /** The client forgets each message. Default false. */
  clientNoContextTakeover?: boolean;
  /** The logarithm of the window that the server compresses with, 8 to 15. Default 15, 32 KiB. */
  serverMaxWindowBits?: number;
  /** The same of the client. Default 15. */
  clientMaxWindowBits?: number;
  /** zlib's compression level, 0 to 9. Default 6. */
  level?: number;
  /** zlib's memory level, 1 to 9. Default 8. */
  memLevel?: number;
  /** Messages of fewer bytes are sent as they are. Default 128. */
  threshold?: number;
  /** Milliseconds of silence after which a connection's compressor and decompressor are given back. Default 30,000. */
  idleRelease?: number;
}

/** The settings of all extensions. */
export interface ExtensionOptions {
  /** Compression (RFC 7692). Default: not on a server; a client offers it. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
}

/** Compresses the messages of one connection, one after the other. */
export interface Compressor {
  /**
   * Returns the compressed payload, or undefined for a message that is better sent as it is. For a large one it is a promise,
   * which must be waited for before the next.
   * @param wanted whether the program asks for it; undefined leaves it to us
   */
  compress(
    payload: string | Uint8Array,
    wanted: boolean | undefined,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Names the connections for which `compressAlone()` yields the same. */
  readonly variant: string;
  /** As `compress()`, without reference to other messages, so that the result fits every connection of this variant. */
  compressAlone(
    payload: string | Uint8Array,
    wanted: boolean | undefined,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** A message that was compressed alone is being sent on this connection. */
  sentAlone(): void;
  /** Gives memory back. It may be used after that. */
  release(): void;
}

/** Undoes the compression of the messages of one connection, one after the other. */
export interface Decompressor {
  /** Returns the payload; for a large one it is a promise, which must be waited for before the next. Throws a WebSocketError. */
  decompress(payload: Buffer): Buffer | Promise<Buffer>;
  /** Gives memory back. It may be used after that. */
  release(): void;
}

/** An extension that changes whole messages and marks them with RSV1. */
export interface Extension {
  readonly name: string;
  /** What a client offers, as it stands in the header; undefined for nothing. */
  offer(options: ExtensionOptions): string | undefined;
  /** A server's answer to one offer; undefined declines it. */
  answer(offered: ExtensionParameters, options: ExtensionOptions): string | undefined;
  /** What a client says of the answer to its offer. Throws a WebSocketError if it cannot live with it. */
  verify(answered: ExtensionParameters, options: ExtensionOptions): void;
  /** @param agreed the parameters of the server's answer */
  compressor(role: Role, agreed: ExtensionParameters, options: ExtensionOptions): Compressor;
  /** @param maxMessageSize bytes of one message, decompressed */
  decompressor(
    role: Role,
    agreed: ExtensionParameters,
    options: ExtensionOptions & { readonly maxMessageSize: number },
  ): Decompressor;
}

/** An open byte stream, with the bytes that its handshake read too far. */
export interface Transport {
  readonly stream: Duplex;
  readonly head: Buffer;
}

/** What the handshake has agreed on. */
export interface Agreement {
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
  readonly request: IncomingMessage;
  readonly draft: Draft;
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
  /** Drops the request's connection without an answer. */
  abandon(): void;
}
