import { isBytes } from '../codec/bytes';
import { OutputQueue } from '../codec/outputQueue';
import type {
  Compressor,
  DataFrame,
  Encodable,
  Encoder,
  ExtensionOptions,
  Outgoing,
  PreparedFrames,
  Role,
  Version,
} from '../contracts';
import type { WebSocketError } from '../errors';
import { compressorFor } from '../extensions';
import { protocolVersion } from '../versions';
import type { CompressionCounter } from './counters';

/** The settings of a MessageWriter. They have been checked, and none has a default. */
export interface MessageWriterSettings extends Pick<ExtensionOptions, 'perMessageDeflate'> {
  readonly role: Role;
  readonly version: Version;
  /** The agreed extensions, as in the server's `Sec-WebSocket-Extensions`; '' for none. */
  readonly extensions: string;
}

/** Prepared frames up to this size are copied next to others; larger ones are sent by reference. */
const copiedFrame = 4096;

/**
 * If no other encoded bytes wait, a prepared frame larger than this is sent by reference as well. A copy for each
 * connection would be written to memory that is not in the cache of the processor.
 */
const sharedFrame = 256;

/**
 * Encodes messages and control frames, and keeps the bytes until they are taken. While a large message is compressed on
 * another thread, the writer is busy, and later items wait in order. It has two callbacks and no events; the Framer is
 * a stream around it.
 */
export class MessageWriter {
  /**
   * Called when the writer is no longer busy: the message that was compressed on another thread, and all items that
   * waited for it, have been encoded.
   */
  onReady: (() => void) | undefined;
  /**
   * Called for each item that `write()` has accepted and that could not be encoded later. The items after it are still
   * encoded.
   */
  onFailure: ((error: WebSocketError) => void) | undefined;
  readonly #encode: Encoder;
  readonly #compressor: Compressor | undefined;
  /**
   * Connections with the same variant send a prepared message in the same bytes. Undefined for a client, where every
   * frame has its own masking key.
   */
  readonly #variant: string | undefined;
  readonly #output = new OutputQueue();
  #compression: CompressionCounter | undefined;
  #busy = false;
  /** The items that were written while the writer was busy. */
  readonly #waiting: Outgoing[] = [];
  #waitingBytes = 0;

  constructor(settings: MessageWriterSettings) {
    const { role, version, extensions } = settings;
    this.#encode = protocolVersion(version).encoder(role);
    this.#compressor = compressorFor(role, extensions, settings);
    this.#variant = role === 'server' ? `${version} ${this.#compressor?.variant ?? ''}` : undefined;
  }

  /**
   * Encodes an item, or queues it while the writer is busy. Pings and pongs are not queued: a control frame may be sent
   * between any two frames (RFC 6455 §5.5).
   * @throws WebSocketError for an item that the version has no frame for; items written before it stay encoded
   */
  write(item: Outgoing): void {
    if (!this.#busy || isPingOrPong(item)) return this.#start(item);
    this.#waiting.push(item);
    this.#waitingBytes += payloadSize(item);
  }

  /** Whether a message is being compressed on another thread. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Encoded bytes that `take()` would return. */
  get length(): number {
    return this.#output.length;
  }

  /** Payload bytes of the items that were written and are not encoded yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Returns the encoded bytes and removes them, if they are in one piece; otherwise returns undefined. */
  takeOnly(): Uint8Array | undefined {
    return this.#output.takeOnly();
  }

  /** Returns the encoded bytes in order, and removes them. */
  take(): readonly Uint8Array[] {
    return this.#output.take();
  }

  /** The number of pieces that `take()` would return. */
  get pieces(): number {
    return this.#output.pieces;
  }

  /**
   * Whether the writer has no state that the next item depends on, so that another connection with the same settings
   * may use it.
   */
  get idle(): boolean {
    return this.#compressor === undefined && !this.#busy && this.#output.length === 0;
  }

  /** Bytes of the messages that were sent compressed; undefined if there were none. */
  get compression(): Readonly<CompressionCounter> | undefined {
    return this.#compression;
  }

  /** Frees the memory for compression. The writer can be used after that. */
  release(): void {
    this.#compressor?.release();
  }

  #start(item: Outgoing): void {
    if (isPrepared(item)) return this.#variant === undefined ? this.#start(item.message) : this.#startPrepared(item);
    const message = this.#compressor === undefined ? undefined : wholeMessage(item);
    if (message === undefined) return this.#encode(item, this.#output);
    const compressed = this.#tryToCompress((compressor) => compressor.compress(message.payload, message.compress));
    const finish = (payload: Uint8Array | undefined) => {
      if (payload !== undefined) this.#countCompressed(message.payload, payload);
      this.#encode(withPayload(message, payload), this.#output);
    };
    if (compressed instanceof Promise) this.#finishLater(item, compressed, finish);
    else finish(compressed);
  }

  /** If compression fails, because zlib gets no memory for example, the message is sent uncompressed. */
  #tryToCompress(compress: (compressor: Compressor) => Compressed): Compressed {
    const compressor = this.#compressor;
    if (compressor === undefined) return undefined;
    try {
      const compressed = compress(compressor);
      return compressed instanceof Promise ? compressed.catch(() => undefined) : compressed;
    } catch {
      // The engine may have this message in its window, and the peer will not: later messages must not refer to it.
      compressor.release();
      return undefined;
    }
  }

  #startPrepared(item: PreparedFrames): void {
    const frame = item.once(this.#variant as string, () => this.#prepare(item.message));
    const finish = (ready: PreparedFrame) => this.#writePrepared(item.message, ready);
    if (frame instanceof Promise) this.#finishLater(item, frame, finish);
    else finish(frame);
  }

  #prepare(message: DataFrame): PreparedFrame | Promise<PreparedFrame> {
    const encode = (payload: Uint8Array | undefined): PreparedFrame => {
      const output = new OutputQueue();
      this.#encode(withPayload(message, payload), output);
      // Copied out of the slab: a reference would keep the whole slab in memory for as long as the message.
      return { bytes: Buffer.concat(output.take()), compressed: payload !== undefined };
    };
    const compressed = this.#tryToCompress((compressor) => compressor.compressAlone(message.payload, message.compress));
    return compressed instanceof Promise ? compressed.then(encode) : encode(compressed);
  }

  #writePrepared(message: DataFrame, { bytes, compressed }: PreparedFrame): void {
    if (compressed) {
      this.#compressor?.sentAlone();
      this.#countCompressed(message.payload, bytes);
    }
    const output = this.#output;
    if (bytes.length > (output.length === 0 ? sharedFrame : copiedFrame)) return output.append(bytes);
    const at = output.reserve(bytes.length);
    output.bytes.set(bytes, at);
    output.commit(bytes.length);
  }

  #countCompressed(before: string | Uint8Array, after: Uint8Array): void {
    this.#compression ??= { before: 0, after: 0 };
    this.#compression.before += Buffer.byteLength(before);
    this.#compression.after += after.length;
  }

  /** Makes the writer busy until `ready` has settled, so that later items wait. */
  #finishLater<T>(item: Outgoing, ready: Promise<T>, finish: (value: T) => void): void {
    const size = payloadSize(item);
    this.#busy = true;
    this.#waitingBytes += size;
    const goOn = (work: () => void) => {
      this.#busy = false;
      this.#waitingBytes -= size;
      this.#attempt(work);
      this.#writeWaiting();
    };
    // nextTick(), because an exception of a callback inside the promise's callbacks would become an unhandled
    // rejection.
    ready.then(
      (value) => process.nextTick(goOn, () => finish(value)),
      (error) =>
        process.nextTick(goOn, () => {
          throw error;
        }),
    );
  }

  #writeWaiting(): void {
    while (!this.#busy && this.#waiting.length > 0) {
      const item = this.#waiting.shift() as Outgoing;
      this.#waitingBytes -= payloadSize(item);
      this.#attempt(() => this.#start(item));
    }
    if (!this.#busy) this.onReady?.();
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.onFailure?.(error as WebSocketError);
    }
  }
}

/** The payload of a message after compression; undefined if it is sent uncompressed. */
type Compressed = Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** The encoded frame of a prepared message, the same for all connections of a variant. */
interface PreparedFrame {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
}

function isPrepared(item: Outgoing): item is PreparedFrames {
  return opcodeOf(item) === 'prepared';
}

function isPingOrPong(item: Outgoing): boolean {
  const opcode = opcodeOf(item);
  return opcode === 'ping' || opcode === 'pong';
}

function opcodeOf(item: Outgoing): string | undefined {
  return typeof item === 'object' ? (item as { opcode?: string } | null)?.opcode : undefined;
}

function payloadSize(item: Outgoing): number {
  if (typeof item === 'string') return Buffer.byteLength(item);
  if (isBytes(item)) return item.length;
  if (isPrepared(item)) return payloadSize(item.message);
  return item !== null && typeof item === 'object' && 'payload' in item ? payloadSize(item.payload) : 0;
}

function withPayload(message: DataFrame, compressed: Uint8Array | undefined): DataFrame {
  return compressed === undefined ? message : { opcode: message.opcode, payload: compressed, compressed: true };
}

/** Returns the item as a message that can be compressed; undefined for a fragment or a control frame, which cannot. */
function wholeMessage(item: Encodable): DataFrame | undefined {
  if (typeof item === 'string') return { opcode: 'text', payload: item };
  if (isBytes(item)) return { opcode: 'binary', payload: item };
  if (item?.opcode !== 'text' && item?.opcode !== 'binary') return undefined;
  return item.fin === false || item.compressed === true ? undefined : item;
}
