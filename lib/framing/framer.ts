import { Transform, type TransformCallback } from 'node:stream';
import type { ExtensionOptions, Outgoing, Role, Version } from '../contracts';
import { checkOptions, defaults } from '../options';
import type { CompressionCounter } from './counters';
import { MessageWriter } from './messageWriter';

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
  readonly #writer: MessageWriter;
  /** Called when the item that is being compressed on another thread has been encoded, or has failed. */
  #done: TransformCallback | undefined;
  #failure: Error | undefined;
  #scheduled = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: FramerOptions) {
    // A single byte that is not taken stops the encoding; the writer is told at the second item that has to wait.
    super({ writableObjectMode: true, writableHighWaterMark: 2, readableHighWaterMark: 1 });
    checkOptions(options, 'role', 'version', 'extensions', 'perMessageDeflate');
    const { version = defaults.version, extensions = '' } = options;
    this.#writer = new MessageWriter({ ...options, version, extensions });
    this.#writer.onFailure = (error) => {
      this.#failure = error;
    };
    this.#writer.onReady = () => {
      const done = this.#done;
      this.#done = undefined;
      if (done !== undefined && !this.destroyed) this.#finish(done, this.#failure);
    };
  }

  /** Bytes of the messages that were sent compressed; undefined if there were none. */
  get compression(): Readonly<CompressionCounter> | undefined {
    return this.#writer.compression;
  }

  override _transform(item: Outgoing, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#writer.write(item);
    } catch (error) {
      return this.#finish(done, error as Error);
    }
    if (this.#writer.busy) this.#done = done;
    else this.#finish(done, undefined);
  }

  override _flush(done: TransformCallback): void {
    this.#passOn();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#writer.release();
    done(error);
  }

  #finish(done: TransformCallback, failure: Error | undefined): void {
    // With a reader that is not taking bytes, they must be in the readable queue at once, for it to hold the writer back. What was
    // written before a bad item still leaves.
    if (failure === undefined && this.readableFlowing === true) this.#passOnSoon();
    else this.#passOn();
    done(failure);
  }

  #passOn(): void {
    const only = this.#writer.takeOnly();
    if (only !== undefined) this.push(only);
    else for (const piece of this.#writer.take()) this.push(piece);
  }

  #passOnSoon(): void {
    if (this.#writer.length >= batchSize) return this.#passOn();
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      if (!this.destroyed) this.#passOn();
    });
  }
}
