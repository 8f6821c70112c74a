import type { Role } from './frames';

/** The parameters of an extension, in order (RFC 6455 §9.1). The value of a parameter without a value is undefined. */
export type ExtensionParameters = readonly (readonly [name: string, value: string | undefined])[];

/** One element of a `Sec-WebSocket-Extensions` header. */
export interface ExtensionElement {
  readonly name: string;
  readonly parameters: ExtensionParameters;
}

/** The settings of compression (permessage-deflate, RFC 7692). */
export interface PerMessageDeflateOptions {
  /**
   * Whether the server compresses each message alone: it needs less memory, and compresses less (RFC 7692 §7.1.1.1).
   * Default false.
   */
  serverNoContextTakeover?: boolean;
  /** Whether the client compresses each message alone (RFC 7692 §7.1.1.2). Default false. */
  clientNoContextTakeover?: boolean;
  /**
   * The window of the server's compressor as a power of two, 8 to 15 (RFC 7692 §7.1.2.1). Default: it may have 32 KiB
   * (15), and the compressor of this library uses 8 KiB of them (13).
   */
  serverMaxWindowBits?: number;
  /**
   * The window of the client's compressor as a power of two, 8 to 15 (RFC 7692 §7.1.2.2). Default: it may have 32 KiB
   * (15), and the compressor of this library uses 8 KiB of them (13).
   */
  clientMaxWindowBits?: number;
  /** The compression level of zlib, 0 (none) to 9 (best). Default 4. */
  level?: number;
  /** The memory level of zlib, 1 (least) to 9 (most). Default 7. */
  memLevel?: number;
  /** A message with fewer bytes is sent uncompressed. Default 128. */
  threshold?: number;
  /**
   * Milliseconds without a message after which a connection's compressor, or decompressor, is freed. Default 30,000.
   */
  idleRelease?: number;
}

/** The options of all extensions. */
export interface ExtensionOptions {
  /**
   * Compression (permessage-deflate, RFC 7692): true, false, or the settings. Default: a server declines it, a client
   * offers it.
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
}

/** Compresses the messages of one connection, one after the other. */
export interface Compressor {
  /**
   * Returns the compressed payload, or undefined for a message that should be sent uncompressed. For a large message it
   * returns a promise; the next call must wait for it.
   * @param wanted whether the program asks for compression; undefined leaves the choice to the Compressor
   */
  compress(
    payload: string | Uint8Array,
    wanted: boolean | undefined,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** For connections with the same variant, `compressAlone()` returns the same bytes. */
  readonly variant: string;
  /**
   * Compresses a message without references to other messages, so that the result fits every connection of this
   * variant.
   */
  compressAlone(
    payload: string | Uint8Array,
    wanted: boolean | undefined,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Called when a message that was compressed alone is sent on this connection. */
  sentAlone(): void;
  /** Frees the memory of the engine. The Compressor can be used after that. */
  release(): void;
}

/** Decompresses the messages of one connection, one after the other. */
export interface Decompressor {
  /**
   * Returns the decompressed payload. For a large message it returns a promise; the next call must wait for it. Throws
   * a WebSocketError.
   */
  decompress(payload: Buffer): Buffer | Promise<Buffer>;
  /**
   * Decompresses a part of a message, a piece at each step of the iteration. All pieces must be taken before the next
   * part. Throws WS_ERR_TRUNCATED if `release()` was called inside the message.
   */
  decompressPart(payload: Buffer, last: boolean): Iterable<Buffer>;
  /**
   * Frees the memory of the engine. The Decompressor can be used after that, but not for the rest of a message that is
   * being decompressed part by part.
   */
  release(): void;
}

/** An extension that changes whole messages and marks them with RSV1. */
export interface Extension {
  readonly name: string;
  /** Returns a client's offer, as a header element; undefined for none. */
  offer(options: ExtensionOptions): string | undefined;
  /** Returns a server's answer to one offer; undefined declines it. */
  answer(offered: ExtensionParameters, options: ExtensionOptions): string | undefined;
  /** Checks a server's answer to a client's offer. Throws a WebSocketError for one that the client cannot accept. */
  verify(answered: ExtensionParameters, options: ExtensionOptions): void;
  /** @param agreed the parameters of the server's answer */
  compressor(role: Role, agreed: ExtensionParameters, options: ExtensionOptions): Compressor;
  /** @param maxMessageSize most bytes of one message after decompression */
  decompressor(
    role: Role,
    agreed: ExtensionParameters,
    options: ExtensionOptions & { readonly maxMessageSize: number },
  ): Decompressor;
}
