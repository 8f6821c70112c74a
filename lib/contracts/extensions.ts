import type { Role } from './frames';

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
  /**
   * Does the same part by part, with pieces that are made as they are asked for: whoever stops asking stops the work. All of
   * them must be taken before the next part. Throws WS_ERR_TRUNCATED if `release()` was called inside the message.
   */
  decompressPart(payload: Buffer, last: boolean): Iterable<Buffer>;
  /** Gives memory back. It may be used after that, but not for the rest of a message that is being decompressed part by part. */
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
