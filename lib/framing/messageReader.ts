import { constants } from 'node:buffer';
import { decodeUtf8, Utf8Validator } from '../codec/utf8';
import type {
  CompressedMessage,
  Decoder,
  Decompressor,
  ExtensionOptions,
  Incoming,
  Message,
  MessagePart,
  Role,
  Version,
} from '../contracts';
import { WebSocketError } from '../errors';
import { decompressorFor } from '../extensions';
import { protocolVersion } from '../versions';
import type { CompressionCounter } from './counters';

/** The settings of a MessageReader. They have been checked, and none has a default. */
export interface MessageReaderSettings extends Pick<ExtensionOptions, 'perMessageDeflate'> {
  readonly role: Role;
  readonly version: Version;
  /** Most bytes of one message, after decompression. */
  readonly maxMessageSize: number;
  /** The agreed extensions, as in the server's `Sec-WebSocket-Extensions`; '' for none. */
  readonly extensions: string;
  /** Whether a message that does not arrive in one piece is returned as `MessagePart`s while it arrives. */
  readonly parts: boolean;
}

const noBytes = Buffer.alloc(0);

/**
 * Decodes bytes into messages and control frames. `next()` returns one at a time, so the caller decides when to stop.
 * Fragments are joined, and compressed messages are decompressed. The reader has no queue and no events; the Deframer
 * is a stream around it.
 */
export class MessageReader {
  readonly #decoder: Decoder;
  readonly #decompressor: Decompressor | undefined;
  readonly #parts: boolean;
  #decompression: CompressionCounter | undefined;
  /** The rest of the message part that is being decompressed. */
  #pieces: Generator<MessagePart> | undefined;
  /** Checks the UTF-8 of a text message that is decompressed part by part. */
  #validator: Utf8Validator | undefined;

  constructor(settings: MessageReaderSettings) {
    const { role, version, maxMessageSize, extensions, parts } = settings;
    this.#parts = parts;
    this.#decompressor = decompressorFor(role, extensions, settings);
    const compression = this.#decompressor !== undefined;
    this.#decoder = protocolVersion(version).decoder(role, { maxMessageSize, compression, parts });
  }

  /** Takes the next bytes. Call it only after `next()` has returned undefined. */
  feed(chunk: Buffer): void {
    this.#decoder.feed(chunk);
  }

  /**
   * Returns the next message or control frame, or undefined if the bytes are used up. A promise is returned for a
   * message that is being decompressed on another thread; `next()` must not be called until it has settled. After an
   * error the reader cannot be used.
   * @throws WebSocketError for the first byte that the protocol forbids
   */
  next(): Incoming | Promise<Message> | undefined {
    if (this.#decompressor === undefined) return this.#decoder.next() as Incoming | undefined;
    if (this.#pieces !== undefined) return this.#nextPiece(this.#pieces);
    const item = this.#decoder.next();
    return isCompressed(item) ? this.#decompressItem(item, this.#decompressor) : item;
  }

  /**
   * Checks that the bytes may end here. Call it only after `next()` has returned undefined.
   * @throws WebSocketError WS_ERR_TRUNCATED inside a frame or a message, also if a Close frame was read in the middle
   * of the message
   */
  finish(): void {
    if (this.inMessage) throw new WebSocketError('WS_ERR_TRUNCATED');
    this.#decoder.finish();
  }

  /**
   * Whether the reader has no state that the next bytes depend on, so that another connection with the same settings
   * may use it.
   */
  get idle(): boolean {
    return this.#decompressor === undefined && this.#decoder.idle;
  }

  /** Whether a message has been read in part. True also if a Close frame was read in the middle of it. */
  get inMessage(): boolean {
    return this.#pieces !== undefined || this.#decoder.inMessage;
  }

  /** Bytes that are kept of a message that has been read in part. */
  get partialSize(): number {
    return this.#decoder.partialSize;
  }

  /** Bytes of the messages that were received compressed; undefined if there were none. */
  get decompression(): Readonly<CompressionCounter> | undefined {
    return this.#decompression;
  }

  /** Frees the memory for decompression. Call it only when no more bytes will be read. */
  release(): void {
    this.#decompressor?.release();
  }

  #decompressItem(
    item: CompressedMessage | MessagePart,
    decompressor: Decompressor,
  ): Incoming | Promise<Message> | undefined {
    if (item.opcode !== 'part' && !this.#parts) return this.#decompressWhole(item, decompressor);
    const part: MessagePart =
      item.opcode === 'part'
        ? item
        : { ...item, opcode: 'part', text: item.opcode === 'text', first: true, last: true };
    this.#pieces = this.#decompressPart(part, decompressor);
    return this.#nextPiece(this.#pieces);
  }

  #nextPiece(pieces: Generator<MessagePart>): Incoming | Promise<Message> | undefined {
    const piece = pieces.next();
    if (piece.done !== true) return piece.value;
    this.#pieces = undefined;
    return this.next();
  }

  *#decompressPart({ text, first, last, payload }: MessagePart, decompressor: Decompressor): Generator<MessagePart> {
    if (first) this.#validator = text ? new Utf8Validator() : undefined;
    const piece = { opcode: 'part', text, compressed: false, first: false, last: false } as const;
    if (first) yield { ...piece, first: true, payload: noBytes };
    this.#countDecompressed(payload.length, 0);
    for (const bytes of decompressor.decompressPart(payload, last)) {
      if (this.#validator?.accept(bytes) === false) throw new WebSocketError('WS_ERR_INVALID_UTF8');
      this.#countDecompressed(0, bytes.length);
      yield { ...piece, payload: bytes };
    }
    if (!last) return;
    if (this.#validator?.complete === false)
      throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the last code point is cut off');
    // `inMessage` must be false as soon as the last part is returned, and not only at the next call.
    this.#pieces = undefined;
    yield { ...piece, last: true, payload: noBytes };
  }

  #decompressWhole({ opcode, payload }: CompressedMessage, decompressor: Decompressor): Message | Promise<Message> {
    const decompressed = decompressor.decompress(payload);
    const finish = (bytes: Buffer) => {
      this.#countDecompressed(payload.length, bytes.length);
      return opcode === 'binary' ? bytes : toText(bytes);
    };
    return decompressed instanceof Promise ? decompressed.then(finish) : finish(decompressed);
  }

  #countDecompressed(before: number, after: number): void {
    this.#decompression ??= { before: 0, after: 0 };
    this.#decompression.before += before;
    this.#decompression.after += after;
  }
}

function isCompressed(item: Incoming | CompressedMessage | undefined): item is CompressedMessage | MessagePart {
  return typeof item === 'object' && 'compressed' in item && item.compressed;
}

function toText(bytes: Buffer): string {
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `${bytes.length} bytes do not fit into a string`);
  const text = decodeUtf8(bytes, 0, bytes.length);
  if (text === undefined) throw new WebSocketError('WS_ERR_INVALID_UTF8');
  return text;
}
