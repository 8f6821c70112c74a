import { constants } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
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
import { checkOptions, defaults } from '../options';
import { protocolVersion } from '../versions';
import type { CompressionCounter } from './counters';

export interface DeframerOptions extends Pick<ExtensionOptions, 'perMessageDeflate'> {
  /** Which end this is: a server's Deframer reads masked frames, a client's unmasked ones. */
  role: Role;
  /** Default '13'. */
  version?: Version;
  /** Bytes of one message, all fragments together. Default 2 MiB. */
  maxMessageSize?: number;
  /** The extensions that were agreed on, as in the server's `Sec-WebSocket-Extensions`. Default none. */
  extensions?: string;
  /**
   * Whether a message that does not come in one piece is put out as `MessagePart`s while it comes, where the version has
   * fragments. Default false.
   */
  parts?: boolean;
}

const noBytes = Buffer.alloc(0);

/**
 * Bytes in, messages and control frames out: a text message is a string, a binary one a Buffer, a control frame an object
 * with an `opcode`. Fragments are joined. Protocol errors destroy it with a WebSocketError, once all that came before has
 * been read.
 *
 * It decodes when somebody reads, not when bytes arrive: of a chunk of 20,000 frames, a paused reader costs the decoding
 * of one, where a plain Transform would decode them all.
 */
export class Deframer extends Transform {
  readonly #decoder: Decoder;
  /** Says that the chunk in hand is used up; undefined when there is none. */
  #done: TransformCallback | undefined;
  #failure: Error | undefined;
  #decompression: CompressionCounter | undefined;
  #pulling = false;
  readonly #decompressor: Decompressor | undefined;
  /** A message is being decompressed on another thread; what follows it waits. */
  #decompressing = false;
  readonly #parts: boolean;
  /** What is left of the part that is being decompressed. */
  #pieces: Generator<MessagePart> | undefined;
  /** Checks a text that is decompressed part by part. */
  #validator: Utf8Validator | undefined;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: DeframerOptions) {
    // One decoded item waits at the most, so a pause takes effect at the next message.
    super({ readableObjectMode: true, readableHighWaterMark: 1 });
    checkOptions(options, 'role', 'version', 'maxMessageSize', 'extensions', 'perMessageDeflate', 'parts');
    const { role, version = defaults.version, maxMessageSize = defaults.maxMessageSize, extensions = '' } = options;
    this.#parts = options.parts === true;
    this.#decompressor = decompressorFor(role, extensions, { ...options, maxMessageSize });
    const compression = this.#decompressor !== undefined;
    this.#decoder = protocolVersion(version).decoder(role, { maxMessageSize, compression, parts: this.#parts });
  }

  /** Whether it holds nothing that the next chunk could depend on. */
  get isIdle(): boolean {
    return (
      this.#decompressor === undefined && this.#done === undefined && this.#failure === undefined && this.#decoder.idle
    );
  }

  /** Bytes of the messages that came compressed; undefined if there were none. */
  get decompression(): Readonly<CompressionCounter> | undefined {
    return this.#decompression;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#decoder.feed(chunk);
    this.#done = done;
    this.#pull();
  }

  override _read(size: number): void {
    if (this.#done === undefined) super._read(size);
    else this.#pull();
  }

  /** Gives memory back that was needed for compression. */
  release(): void {
    this.#decompressor?.release();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.release();
    done(error);
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#decoder.finish();
    } catch (error) {
      return this.#settle(done, error as Error);
    }
    done();
  }

  /** Decodes until the reader has enough or the chunk is used up. */
  #pull(): void {
    // push() may call _read(), which must not start a second loop inside this one.
    if (this.#pulling || this.#decompressing) return;
    this.#pulling = true;
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) {
        if (item instanceof Promise) return this.#await(item);
        if (!this.push(item)) return;
      }
    } finally {
      this.#pulling = false;
    }
    this.#finishChunk();
  }

  #finishChunk(): void {
    const done = this.#done as TransformCallback;
    this.#done = undefined;
    this.#settle(done, this.#failure);
  }

  /** The decoder's next item; undefined at the end of the chunk or at an error. What a reader throws is no error of the decoder. */
  #next(): Incoming | Promise<Message> | undefined {
    try {
      if (this.#pieces !== undefined) return this.#nextPiece(this.#pieces);
      const item = this.#decoder.next();
      return this.#decompressor !== undefined && isCompressed(item)
        ? this.#decompressItem(item, this.#decompressor)
        : (item as Incoming | undefined);
    } catch (error) {
      this.#failure = error as Error;
      return undefined;
    }
  }

  #decompressItem(
    item: CompressedMessage | MessagePart,
    decompressor: Decompressor,
  ): Incoming | Promise<Message> | undefined {
    if (item.opcode !== 'part' && !this.#parts) return this.#decompress(item, decompressor);
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
    return this.#next();
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
    yield { ...piece, last: true, payload: noBytes };
  }

  #decompress({ opcode, payload }: CompressedMessage, decompressor: Decompressor): Message | Promise<Message> {
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

  #await(decompressed: Promise<Message>): void {
    this.#decompressing = true;
    const goOn = (message: Message) => {
      this.#decompressing = false;
      if (!this.destroyed && this.push(message)) this.#pull();
    };
    const fail = (error: Error) => {
      this.#decompressing = false;
      this.#failure = error;
      this.#finishChunk();
    };
    // Not in the promise's own callback, where what a reader throws would become a rejection.
    decompressed.then(
      (message) => process.nextTick(goOn, message),
      (error) => process.nextTick(fail, error),
    );
  }

  /**
   * Says that a chunk is used up, or bad. When a reader is taking the last item at this very moment, in the call that made us
   * decode on, it waits a tick: an error would drop the item, and a Transform would take its queue for full.
   */
  #settle(done: TransformCallback, failure: Error | undefined): void {
    if (this.readableLength === 0) done(failure);
    else process.nextTick(done, failure);
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
