import { Transform, type TransformCallback } from 'node:stream';
import type { ExtensionOptions, Outgoing, Role, Version } from '../contracts';
import { checkOptions, defaults } from '../options';
import { MessageWriter } from './messageWriter';

/** The options of a Framer. */
export interface FramerOptions extends ExtensionOptions {
  /** The role of this end of the connection: a client masks its frames, a server does not (RFC 6455 §5.1). */
  role: Role;
  /** The version of the protocol. Default `'13'`. */
  version?: Version;
  /** The agreed extensions, as in the server's `Sec-WebSocket-Extensions` (RFC 6455 §9.1). Default `''`: none. */
  extensions?: string;
}

/** If so many bytes have been encoded, they are pushed at once and not at the end of the tick. */
export const batchSize = 64 * 1024;

/**
 * Encodes messages and control frames as a byte stream of frames (RFC 6455 §5). A string becomes a text message, a
 * Buffer or another Uint8Array a binary one, and an object with an `opcode` becomes that frame; `fin: false` makes it a
 * fragment. If the payload of a text frame is bytes, they are not checked to be UTF-8.
 *
 * The frames that are written in one tick are emitted as one chunk. A value that is no message or frame destroys the
 * Framer with `WS_ERR_INVALID_ARGUMENT`, and a frame that the version does not have with `WS_ERR_UNSUPPORTED`. Frames
 * written before it are still emitted.
 *
 * @example
 * const framer = new Framer({ role: 'server' });
 * framer.pipe(socket);
 * framer.write('Hello');
 * framer.end({ opcode: 'close', code: 1000, reason: '' });
 */
export class Framer extends Transform {
  readonly #writer: MessageWriter;
  /** The callback of an item that is being compressed on another thread. */
  #done: TransformCallback | undefined;
  #failure: Error | undefined;
  #scheduled = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: FramerOptions) {
    // With these marks, encoding stops as soon as one byte is unread, and write() returns false at the second waiting
    // item.
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

  /** @internal */
  override _transform(item: Outgoing, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#writer.write(item);
    } catch (error) {
      return this.#finish(done, error as Error);
    }
    if (this.#writer.busy) this.#done = done;
    else this.#finish(done, undefined);
  }

  /** @internal */
  override _flush(done: TransformCallback): void {
    this.#passOn();
    done();
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#writer.release();
    done(error);
  }

  #finish(done: TransformCallback, failure: Error | undefined): void {
    // If nobody reads, the bytes must be pushed at once, because only bytes in the readable queue make write() return
    // false. Before an error they must be pushed too, so that the items before the invalid one are still emitted.
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
