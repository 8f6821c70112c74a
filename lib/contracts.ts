/**
 * The plug points of the library, as types. A draft, a transport or a stream that keeps these contracts fits the rest,
 * and none of them needs to import another.
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';

/** Which end of the connection we are: a client masks what it sends, a server must not (RFC 6455 §5.1). */
export type Role = 'server' | 'client';

/** The protocol versions that the library speaks, named as `Sec-WebSocket-Version` names them. */
export type Version = '13' | '8' | '7';

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
}

/** A frame that may come between the fragments of a message (RFC 6455 §5.5). */
export type ControlFrame = PingFrame | CloseFrame;

/** A message, or one fragment of it, named explicitly: for a kind that the payload's type does not tell, or for `fin: false`. */
export interface DataFrame {
  readonly opcode: 'text' | 'binary' | 'continuation';
  /** Whether the message ends with this frame. Default true. */
  readonly fin?: boolean;
  readonly payload: string | Uint8Array;
}

/** What comes out of a Deframer. */
export type Incoming = Message | ControlFrame;

/** What goes into a Framer. */
export type Outgoing = string | Uint8Array | ControlFrame | DataFrame;

export interface DecoderLimits {
  /** Bytes of one message, all fragments together. */
  readonly maxMessageSize: number;
}

/**
 * Turns bytes into messages and control frames, one at a time, so that whoever pulls decides when to stop.
 * Throws a WebSocketError at the first byte that the protocol forbids.
 */
export interface Decoder {
  /** Hands over the next bytes. The previous ones must be used up: `next()` has returned undefined. */
  feed(chunk: Buffer): void;
  next(): Incoming | undefined;
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
export type Encoder = (item: Outgoing, sink: ByteSink) => void;

/** The part of an opening request that a draft looks at; HTTP/1 and HTTP/2 requests both have it. */
export type RequestHead = Pick<IncomingMessage, 'headers'>;

/** One protocol: data and functions. Nothing above `drafts/` knows which one it holds. */
export interface Draft {
  readonly versions: readonly Version[];
  /** The name of the header in which a client of this version states its origin. */
  originHeader(version: Version): 'origin' | 'sec-websocket-origin';
  /** Checks the client's key and returns the headers that prove the answer. Throws a WebSocketError with a `statusCode`. */
  prove(request: RequestHead): Readonly<Record<string, string>>;
  decoder(role: Role, limits: DecoderLimits): Decoder;
  encoder(role: Role): Encoder;
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
}

/** How an opening request is accepted. */
export interface Acceptance {
  /** The chosen subprotocol, '' for none. */
  readonly protocol: string;
  readonly headers: OutgoingHttpHeaders;
}

/** A checked opening request that waits for the application's word. A transport makes it; the WebSocket uses it once. */
export interface Opening {
  readonly request: IncomingMessage;
  readonly draft: Draft;
  readonly version: Version;
  /** The subprotocols that the client offered, in its order. */
  readonly protocols: readonly string[];
  /** Sends the positive answer. Throws if an ordinary response has begun. */
  accept(acceptance: Acceptance): Transport;
  /** Drops the request's connection without an answer. */
  abandon(): void;
}
