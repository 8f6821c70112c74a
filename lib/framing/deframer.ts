import { Transform, type TransformCallback } from 'node:stream';
import type { ExtensionOptions, Incoming, Message, Role, Version } from '../contracts';
import { checkOptions, defaults } from '../options';
import type { CompressionCounter } from './counters';
import { MessageReader } from './messageReader';

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

/**
 * Bytes in, messages and control frames out: a text message is a string, a binary one a Buffer, a control frame an object
 * with an `opcode`. Fragments are joined. Protocol errors destroy it with a WebSocketError, once all that came before has
 * been read.
 *
 * It decodes when somebody reads, not when bytes arrive: of a chunk of 20,000 frames, a paused reader costs the decoding
 * of one, where a plain Transform would decode them all.
 */
export class Deframer extends Transform {
  readonly #reader: MessageReader;
  /** Says that the chunk in hand is used up; undefined when there is none. */
  #done: TransformCallback | undefined;
  #failure: Error | undefined;
  #pulling = false;
  /** A message is being decompressed on another thread; what follows it waits. */
  #decompressing = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: DeframerOptions) {
    // One decoded item waits at the most, so a pause takes effect at the next message.
    super({ readableObjectMode: true, readableHighWaterMark: 1 });
    checkOptions(options, 'role', 'version', 'maxMessageSize', 'extensions', 'perMessageDeflate');
    const { version = defaults.version, maxMessageSize = defaults.maxMessageSize, extensions = '' } = options;
    const parts = options.parts === true;
    this.#reader = new MessageReader({ ...options, version, maxMessageSize, extensions, parts });
  }

  /** Bytes of the messages that came compressed; undefined if there were none. */
  get decompression(): Readonly<CompressionCounter> | undefined {
    return this.#reader.decompression;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#reader.feed(chunk);
    this.#done = done;
    this.#pull();
  }

  override _read(size: number): void {
    if (this.#done === undefined) super._read(size);
    else this.#pull();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reader.release();
    done(error);
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#reader.finish();
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

  /** The next item; undefined at the end of the chunk or at an error. An error that a listener throws is not caught here. */
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
