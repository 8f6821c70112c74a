import { Transform, type TransformCallback } from 'node:stream';
import { OutputQueue } from '../codec/outputQueue';
import type { Compressor, DataFrame, Encoder, ExtensionOptions, Outgoing, Role, Version } from '../contracts';
import { draftFor } from '../drafts';
import { compressorFor } from '../extensions';
import { checkOptions, defaults } from '../options';

export interface FramerOptions extends ExtensionOptions {
  /** Which end this is: a client's Framer masks, a server's does not. */
  role: Role;
  /** Default '13'. */
  version?: Version;
  /** The extensions that were agreed on, as in the server's `Sec-WebSocket-Extensions`. Default none. */
  extensions?: string;
}

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
  readonly #output = new OutputQueue();
  #held = false;
  #scheduled = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: FramerOptions) {
    // A single byte that is not taken stops the encoding; the writer is told at the second item that has to wait.
    super({ writableObjectMode: true, writableHighWaterMark: 2, readableHighWaterMark: 1 });
    checkOptions(options, 'role', 'version', 'extensions', 'perMessageDeflate');
    const { role, version = defaults.version, extensions = '' } = options;
    this.#encode = draftFor(version).encoder(role);
    this.#compressor = compressorFor(role, extensions, options);
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
    const message = this.#compressor === undefined ? undefined : wholeMessage(item);
    if (message === undefined) return this.#pass(item, done);
    const compressed = (this.#compressor as Compressor).compress(message.payload, message.compress);
    const pass = (payload: Uint8Array | undefined) => {
      if (payload === undefined) this.#pass(item, done);
      else this.#pass({ opcode: message.opcode, payload, compressed: true }, done);
    };
    if (!(compressed instanceof Promise)) return pass(compressed);
    // If zlib gets no memory, say: the message can be sent all the same.
    const passLater = (payload?: unknown) =>
      process.nextTick(pass, payload instanceof Uint8Array ? payload : undefined);
    compressed.then(passLater, passLater);
  }

  #pass(item: Outgoing, done: TransformCallback): void {
    try {
      this.#encode(item, this.#output);
    } catch (error) {
      // What was good before it still goes out.
      this.flush();
      return done(error as Error);
    }
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

/** The item as a message that can be compressed; undefined for one that cannot, a fragment or a control frame. */
function wholeMessage(item: Outgoing): DataFrame | undefined {
  if (typeof item === 'string') return { opcode: 'text', payload: item };
  if (item instanceof Uint8Array) return { opcode: 'binary', payload: item };
  if (item?.opcode !== 'text' && item?.opcode !== 'binary') return undefined;
  return item.fin === false || item.compressed === true ? undefined : item;
}
