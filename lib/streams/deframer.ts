import { Transform, type TransformCallback } from 'node:stream';
import type { Decoder, Incoming, Role, Version } from '../contracts';
import { draftFor } from '../drafts';
import { checkOptions, defaults } from '../options';

export interface DeframerOptions {
  /** Which end this is: a server's Deframer reads masked frames, a client's unmasked ones. */
  role: Role;
  /** Default '13'. */
  version?: Version;
  /** Bytes of one message, all fragments together. Default 2 MiB. */
  maxMessageSize?: number;
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
  readonly #decoder: Decoder;
  /** Says that the chunk in hand is used up; undefined when there is none. */
  #done: TransformCallback | undefined;
  #failure: Error | undefined;
  #pulling = false;

  /** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
  constructor(options: DeframerOptions) {
    // One decoded item waits at the most, so a pause takes effect at the next message.
    super({ readableObjectMode: true, readableHighWaterMark: 1 });
    const { role, version, maxMessageSize } = checkOptions(options, 'role', 'version', 'maxMessageSize');
    this.#decoder = draftFor(version ?? defaults.version).decoder(role, {
      maxMessageSize: maxMessageSize ?? defaults.maxMessageSize,
    });
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
    if (this.#pulling) return;
    this.#pulling = true;
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) {
        if (!this.push(item)) return;
      }
    } finally {
      this.#pulling = false;
    }
    const done = this.#done as TransformCallback;
    this.#done = undefined;
    this.#settle(done, this.#failure);
  }

  /** The decoder's next item; undefined at the end of the chunk or at an error. What a reader throws is no error of the decoder. */
  #next(): Incoming | undefined {
    try {
      return this.#decoder.next();
    } catch (error) {
      this.#failure = error as Error;
      return undefined;
    }
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
