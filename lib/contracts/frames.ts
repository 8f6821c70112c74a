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

/** A part of a message that is handed over while it comes. */
export interface MessagePart {
  readonly opcode: 'part';
  /** Whether the message is text; the parts are bytes all the same, and may end within a code point. */
  readonly text: boolean;
  /** Whether the payload is as the frames had it, for the extension that they name to read. */
  readonly compressed: boolean;
  readonly first: boolean;
  readonly last: boolean;
  readonly payload: Buffer;
}

/** What comes out of a Deframer. */
export type Incoming = Message | MessagePart | ControlFrame;

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
  /** Whether a message that does not come in one piece is handed over in parts, by those who can. Default false. */
  readonly parts?: boolean;
}

/**
 * Turns bytes into messages and control frames, one at a time, so that whoever pulls decides when to stop.
 * Throws a WebSocketError at the first byte that the protocol forbids.
 */
export interface Decoder {
  /** Hands over the next bytes. The previous ones must be used up: `next()` has returned undefined. */
  feed(chunk: Buffer): void;
  next(): Incoming | CompressedMessage | undefined;
  /** Whether it holds nothing that later bytes depend on: no bytes, no part of a frame or message, and no Close frame was read. */
  readonly idle: boolean;
  /** Whether a message has begun and has not ended. This holds also when a Close frame was read in the middle of it. */
  readonly inMessage: boolean;
  /** The byte stream has ended: throws WS_ERR_TRUNCATED if that cuts off a frame or a message. */
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
