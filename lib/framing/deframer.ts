import { Transform, type TransformCallback } from 'node:stream';
import type { ExtensionOptions, Incoming, Message, Role, Version } from '../contracts';
import { checkOptions, defaults } from '../options';
import { MessageReader } from './messageReader';

/** The options of a Deframer. */
export interface DeframerOptions extends Pick<ExtensionOptions, 'perMessageDeflate'> {
  /** The role of this end of the connection: a server reads masked frames, a client unmasked ones (RFC 6455 §5.1). */
  role: Role;
  /** The version of the protocol. Default `'13'`. */
  version?: Version;
  /** The largest message, in bytes, all fragments together and after decompression. Default 2 MiB. */
  maxMessageSize?: number;
  /** The agreed extensions, as in the server's `Sec-WebSocket-Extensions` (RFC 6455 §9.1). Default `''`: none. */
  extensions?: string;
  /**
   * Whether a message that does not arrive in one piece is emitted as `MessagePart`s while it arrives, in versions that
   * have fragments. Default false.
   */
  parts?: boolean;
}

/**
 * Decodes a byte stream of frames (RFC 6455 §5) into messages and control frames. It emits a string for a text message,
 * a Buffer for a binary one, and an object with an `opcode` for a control frame. Fragments are joined, compressed
 * messages are decompressed.
 *
 * Bytes that the protocol forbids destroy the Deframer with a `WebSocketError`, after all items before them have been
 * read. The `closeCode` of the error is the one to close the connection with. If the bytes end inside a frame or a
 * message, the code is `WS_ERR_TRUNCATED`.
 *
 * One item is decoded for each read, so `pause()` takes effect at the next message.
 *
 * @example
 * socket.pipe(new Deframer({ role: 'server' })).on('data', (item) => {
 *   if (typeof item === 'string') console.log(item);
 * });
 */
export class Deframer extends Transform {
  readonly #reader: MessageReader;
  /** The callback of the chunk that is being decoded; undefined between chunks. */
  #done: TransformCallback | undefined;
  #failure: Error | undefined;
  #pulling = false;
  /** Whether a message is being decompressed on another thread. The items after it wait. */
  #decompressing = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: DeframerOptions) {
    // With a mark of one item, pause() takes effect at the next message. A plain Transform would decode the whole
    // chunk.
    super({ readableObjectMode: true, readableHighWaterMark: 1 });
    checkOptions(options, 'role', 'version', 'maxMessageSize', 'extensions', 'perMessageDeflate', 'parts');
    const { version = defaults.version, maxMessageSize = defaults.maxMessageSize, extensions = '' } = options;
    const parts = options.parts === true;
    this.#reader = new MessageReader({ ...options, version, maxMessageSize, extensions, parts });
  }

  /** @internal */
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#reader.feed(chunk);
    this.#done = done;
    this.#pull();
  }

  /** @internal */
  override _read(size: number): void {
    if (this.#done === undefined) super._read(size);
    else this.#pull();
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reader.release();
    done(error);
  }

  /** @internal */
  override _flush(done: TransformCallback): void {
    try {
      this.#reader.finish();
    } catch (error) {
      return this.#settle(done, error as Error);
    }
    done();
  }

  /** Decodes items until the readable queue is full or the chunk is used up. */
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

  /**
   * Returns the next item; undefined at the end of the chunk or after an error. Only errors of the decoder are caught
   * here, not those of a listener.
   */
  #next(): Incoming | Promise<Message> | undefined {
    try {
      return this.#reader.next();
    } catch (error) {
      this.#failure = error as Error;
      return undefined;
    }
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
    // nextTick(), because an exception of a listener inside the promise's callbacks would become an unhandled
    // rejection.
    decompressed.then(
      (message) => process.nextTick(goOn, message),
      (error) => process.nextTick(fail, error),
    );
  }

  /**
   * Calls the callback of a chunk that was decoded or has failed. If read() is taking the last item from the queue,
   * which is when it calls _read(), the call waits a tick: an error would drop that item, and the Transform would take
   * its queue for full.
   */
  #settle(done: TransformCallback, failure: Error | undefined): void {
    if (this.readableLength === 0) done(failure);
    else process.nextTick(done, failure);
  }
}
