import { Transform, type TransformCallback } from 'node:stream';
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
import { compressorFor } from '../extensions';
import { checkOptions, defaults } from '../options';
import { protocolVersion } from '../versions';
import type { CompressionCounter } from './counters';

export interface FramerOptions extends ExtensionOptions {
  /** Which end this is: a client's Framer masks, a server's does not. */
  role: Role;
  /** Default '13'. */
  version?: Version;
  /** The extensions that were agreed on, as in the server's `Sec-WebSocket-Extensions`. Default none. */
  extensions?: string;
}

/** Prepared frames up to this size are copied next to others; larger ones go out by reference. */
const copiedFrame = 4096;

/**
 * With nothing before it, one from this size on goes out by reference as well: the copy for the next connection would be in memory
 * that no cache knows yet.
 */
const sharedFrame = 256;

/** Bytes of frames that are passed on at once, even if the tick is not over. */
export const batchSize = 64 * 1024;

/**
 * Messages and frames in, bytes out. A string becomes a text message, a Buffer or Uint8Array a binary one, an object with
 * an `opcode` that frame; a fragment has `fin: false`.
 *
 * What is written within one tick leaves together, so a hundred small messages cost one write to the socket.
 */
export class Framer extends Transform {
  readonly #encode: Encoder;
  readonly #compressor: Compressor | undefined;
  /** Names the connections that send a prepared message in the same bytes; undefined where every frame has a key of its own. */
  readonly #variant: string | undefined;
  readonly #output = new OutputQueue();
  #compression: CompressionCounter | undefined;
  #held = false;
  #scheduled = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: FramerOptions) {
    // A single byte that is not taken stops the encoding; the writer is told at the second item that has to wait.
    super({ writableObjectMode: true, writableHighWaterMark: 2, readableHighWaterMark: 1 });
    checkOptions(options, 'role', 'version', 'extensions', 'perMessageDeflate');
    const { role, version = defaults.version, extensions = '' } = options;
    this.#encode = protocolVersion(version).encoder(role);
    this.#compressor = compressorFor(role, extensions, options);
    this.#variant = role === 'server' ? `${version} ${this.#compressor?.variant ?? ''}` : undefined;
  }

  /** Whether it holds nothing that the next item could depend on. */
  get isIdle(): boolean {
    return this.#compressor === undefined && this.#output.length === 0;
  }

  /** Bytes of the messages that were sent compressed; undefined if there were none. */
  get compression(): Readonly<CompressionCounter> | undefined {
    return this.#compression;
  }

  /** Encoded bytes that `flush()` would pass on. */
  get gatheredBytes(): number {
    return this.#output.length;
  }

  /** In how many pieces it would do so. */
  get gatheredPieces(): number {
    return this.#output.pieces;
  }

  /** From now on frames are gathered until `flush()`: whoever holds knows better than the end of the tick when to send. */
  hold(): void {
    this.#held = true;
  }

  /** Passes on what has been gathered. */
  flush(): void {
    const only = this.#output.takeOnly();
    if (only !== undefined) this.push(only);
    else for (const piece of this.#output.take()) this.push(piece);
  }

  /** Gives memory back that was needed for compression. */
  release(): void {
    this.#compressor?.release();
  }

  override _transform(item: Outgoing, _encoding: BufferEncoding, done: TransformCallback): void {
    if (isPrepared(item)) return this.#transformPrepared(item, done);
    const message = this.#compressor === undefined ? undefined : wholeMessage(item);
    if (message === undefined) return this.#encodeItem(item, done);
    const compressed = (this.#compressor as Compressor).compress(message.payload, message.compress);
    whenCompressed(compressed, (payload) => {
      if (payload !== undefined) this.#countCompressed(message.payload, payload);
      this.#encodeItem(withPayload(message, payload), done);
    });
  }

  #countCompressed(before: string | Uint8Array, after: Uint8Array): void {
    this.#compression ??= { before: 0, after: 0 };
    this.#compression.before += Buffer.byteLength(before);
    this.#compression.after += after.length;
  }

  #transformPrepared(item: PreparedFrames, done: TransformCallback): void {
    if (this.#variant === undefined) return this._transform(item.message, 'buffer' as BufferEncoding, done);
    let frame: PreparedFrame | Promise<PreparedFrame>;
    try {
      frame = item.once(this.#variant, () => this.#prepare(item.message));
    } catch (error) {
      return this.#fail(error, done);
    }
    const send = ({ bytes, compressed }: PreparedFrame) => {
      if (compressed) {
        this.#compressor?.sentAlone();
        this.#countCompressed(item.message.payload, bytes);
      }
      if (bytes.length > (this.#output.length === 0 ? sharedFrame : copiedFrame)) this.#output.append(bytes);
      else {
        const at = this.#output.reserve(bytes.length);
        this.#output.bytes.set(bytes, at);
        this.#output.commit(bytes.length);
      }
      this.#passOn(done);
    };
    if (frame instanceof Promise) void frame.then((ready) => process.nextTick(send, ready));
    else send(frame);
  }

  #prepare(message: DataFrame): PreparedFrame | Promise<PreparedFrame> {
    const encode = (payload: Uint8Array | undefined): PreparedFrame => {
      const output = new OutputQueue();
      this.#encode(withPayload(message, payload), output);
      // In memory of its own: the slab that it was written to would be kept for as long as the message.
      return { bytes: Buffer.concat(output.take()), compressed: payload !== undefined };
    };
    const compressed = this.#compressor?.compressAlone(message.payload, message.compress);
    if (compressed instanceof Promise) return compressed.then(encode, () => encode(undefined));
    return encode(compressed);
  }

  #encodeItem(item: Encodable, done: TransformCallback): void {
    try {
      this.#encode(item, this.#output);
    } catch (error) {
      return this.#fail(error, done);
    }
    this.#passOn(done);
  }

  /** What was good before it still goes out. */
  #fail(error: unknown, done: TransformCallback): void {
    this.flush();
    done(error as Error);
  }

  #passOn(done: TransformCallback): void {
    // With a reader that is not taking bytes, they must show in the readable side at once, for it to hold the writer back.
    if (!this.#held) {
      if (this.readableFlowing === true) this.#flushSoon();
      else this.flush();
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    this.flush();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.release();
    done(error);
  }

  #flushSoon(): void {
    if (this.#output.length >= batchSize) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      if (!this.destroyed) this.flush();
    });
  }
}

/** One frame of a message, as it goes out on every connection of a variant. */
interface PreparedFrame {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
}

function isPrepared(item: Outgoing): item is PreparedFrames {
  return typeof item === 'object' && (item as Partial<PreparedFrames> | null)?.opcode === 'prepared';
}

/** Goes on at once, or when the payload is there. If zlib gets no memory, say, the message can be sent all the same. */
function whenCompressed(
  compressed: Uint8Array | undefined | Promise<Uint8Array | undefined>,
  goOn: (payload: Uint8Array | undefined) => void,
): void {
  if (!(compressed instanceof Promise)) return goOn(compressed);
  compressed.then(
    (payload) => process.nextTick(goOn, payload),
    () => process.nextTick(goOn, undefined),
  );
}

function withPayload(message: DataFrame, compressed: Uint8Array | undefined): DataFrame {
  return compressed === undefined ? message : { opcode: message.opcode, payload: compressed, compressed: true };
}

/** The item as a message that can be compressed; undefined for one that cannot, a fragment or a control frame. */
function wholeMessage(item: Encodable): DataFrame | undefined {
  if (typeof item === 'string') return { opcode: 'text', payload: item };
  if (item instanceof Uint8Array) return { opcode: 'binary', payload: item };
  if (item?.opcode !== 'text' && item?.opcode !== 'binary') return undefined;
  return item.fin === false || item.compressed === true ? undefined : item;
}
