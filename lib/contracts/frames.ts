/** One end of a connection. A client masks what it sends, a server must not (RFC 6455 §5.1). */
export type Role = 'server' | 'client';

/** A version of the protocol: a value of `Sec-WebSocket-Version`, or the name of a draft from before that header. */
export type Version = '13' | '8' | '7' | 'draft03' | 'draft76' | 'draft75';

/** A received message: a string is a text message, a Buffer a binary one. */
export type Message = string | Buffer;

/** A Ping or Pong frame (RFC 6455 §5.5.2, §5.5.3). */
export interface PingFrame {
  readonly opcode: 'ping' | 'pong';
  /** At most 125 bytes (RFC 6455 §5.5). */
  readonly payload: Uint8Array;
}

/** A Close frame (RFC 6455 §5.5.1). */
export interface CloseFrame {
  readonly opcode: 'close';
  /** The close code; 1005 stands for a Close frame without a body (RFC 6455 §7.1.5). */
  readonly code: number;
  /** Text of at most 123 bytes. */
  readonly reason: string;
  /** In drafts without close codes: the body of the peer's Close frame, which the answer must repeat. */
  readonly body?: Uint8Array;
}

/** A control frame. It may stand between the fragments of a message (RFC 6455 §5.5). */
export type ControlFrame = PingFrame | CloseFrame;

/**
 * A data frame. It is needed for a fragment (RFC 6455 §5.4), or if the type of the message does not follow from the
 * type of the payload.
 */
export interface DataFrame {
  readonly opcode: 'text' | 'binary' | 'continuation';
  /** Whether the message ends with this frame. Default true. */
  readonly fin?: boolean;
  /** Text or bytes, with every opcode. */
  readonly payload: string | Uint8Array;
  /**
   * Whether to compress the payload, if the connection has agreed on compression. Default: if it has at least
   * `perMessageDeflate.threshold` bytes.
   */
  readonly compress?: boolean;
  /** Whether the payload is compressed already, so that the frame has the bit RSV1 (RFC 7692 §6). Default false. */
  readonly compressed?: boolean;
}

/** A message whose payload is still compressed: its first frame has the bit RSV1 (RFC 7692 §6). */
export interface CompressedMessage {
  readonly opcode: 'text' | 'binary';
  readonly compressed: true;
  readonly payload: Buffer;
}

/** A part of a message that is delivered while the message is received. */
export interface MessagePart {
  readonly opcode: 'part';
  /** Whether the message is text. The parts of a text are bytes too, and a part may end inside a code point. */
  readonly text: boolean;
  /** Whether the payload is still compressed. */
  readonly compressed: boolean;
  /** Whether the message begins with this part. */
  readonly first: boolean;
  /** Whether the message ends with this part. */
  readonly last: boolean;
  /** The bytes of the part. */
  readonly payload: Buffer;
}

/** An item that a Deframer emits. */
export type Incoming = Message | MessagePart | ControlFrame;

/**
 * A message for many connections. It is encoded once for all connections of the same variant, which send it in the same
 * bytes.
 */
export interface PreparedFrames {
  readonly opcode: 'prepared';
  readonly message: DataFrame;
  /** Returns the result of `make()` for this variant. `make()` is called once for each variant. */
  once<T>(variant: string, make: () => T): T;
}

/** An item that an Encoder writes. */
export type Encodable = string | Uint8Array | ControlFrame | DataFrame;

/** An item that a Framer takes. */
export type Outgoing = Encodable | PreparedFrames;

export interface DecoderOptions {
  /** Most bytes of one message, all fragments together. */
  readonly maxMessageSize: number;
  /** Whether the first frame of a message may have the bit RSV1, which marks a compressed message. Default false. */
  readonly compression?: boolean;
  /**
   * Whether a message that does not arrive in one piece is returned in parts, by versions that have fragments. Default
   * false.
   */
  readonly parts?: boolean;
}

/**
 * Decodes bytes into messages and control frames, one at each call of `next()`, so that the caller decides when to
 * stop. `next()` throws a WebSocketError at the first byte that the protocol forbids.
 */
export interface Decoder {
  /** Takes the next bytes. It must be called only after `next()` has returned undefined. */
  feed(chunk: Buffer): void;
  /** Returns the next item, or undefined when the bytes are used up. */
  next(): Incoming | CompressedMessage | undefined;
  /**
   * Whether the decoder has no state that later bytes depend on: no bytes, no part of a frame or message, and no Close
   * frame was read.
   */
  readonly idle: boolean;
  /** Whether a message has been read in part. True also if a Close frame was read in the middle of it. */
  readonly inMessage: boolean;
  /** Bytes that are kept of a message that has been read in part. */
  readonly partialSize: number;
  /** Called when the byte stream has ended. Throws WS_ERR_TRUNCATED inside a frame or a message. */
  finish(): void;
}

/** The output of an Encoder. */
export interface ByteSink {
  /** Reserves `size` contiguous bytes and returns their start in `bytes`. */
  reserve(size: number): number;
  readonly bytes: Buffer;
  /** Adds `size` of the reserved bytes to the output. */
  commit(size: number): void;
  /** Adds bytes to the output by reference. */
  append(bytes: Uint8Array): void;
}

/** Writes one item into a sink. Throws a WebSocketError for an item that the version has no frame for. */
export type Encoder = (item: Encodable, sink: ByteSink) => void;
