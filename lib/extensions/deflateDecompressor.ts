import { constants } from 'node:buffer';
import type { Decompressor } from '../contracts';
import { WebSocketError } from '../errors';
import { IdleTimer, SharedEngines } from './idle';
import { InflatingMessage } from './inflatingMessage';
import { SlidingWindow } from './slidingWindow';
import { Streams } from './streams';
import { flushTail, inflateOnThread, isTooLarge, largeMessage, SyncInflater } from './zlibEngines';

export interface DecompressorSettings {
  /** The peer's window as a power of two. */
  readonly windowBits: number;
  /** Whether the peer compresses each message alone. */
  readonly noContextTakeover: boolean;
  /** Most bytes of one message after decompression. */
  readonly maxMessageSize: number;
  /** Milliseconds without a message after which the engine is freed. */
  readonly idleRelease: number;
}

/**
 * The most bytes that are decompressed synchronously, which takes 0.3 ms. A message with more is decompressed again
 * from its start, on another thread.
 */
const mostAtOnce = 256 * 1024;

const shared = new SharedEngines<SyncInflater>();

/**
 * Decompresses the messages of one connection (RFC 7692 §7.2.2). The first message after a pause is decompressed by an
 * engine that is freed at once. Only for further messages a connection keeps an engine.
 */
export class DeflateDecompressor implements Decompressor {
  readonly #settings: DecompressorSettings;
  readonly #limit: number;
  readonly #window: SlidingWindow | undefined;
  readonly #idle: IdleTimer;
  /** The engine of this connection. It can be freed at any time, because the next one is made from the window. */
  #inflater: SyncInflater | undefined;
  /** The message that is being decompressed part by part. */
  #inflating: InflatingMessage | undefined;

  constructor(settings: DecompressorSettings) {
    this.#settings = settings;
    this.#limit = Math.min(settings.maxMessageSize, constants.MAX_LENGTH);
    this.#window = settings.noContextTakeover ? undefined : new SlidingWindow(2 ** settings.windowBits);
    this.#idle = new IdleTimer(settings.idleRelease, () => this.#dropInflater());
  }

  decompress(payload: Buffer): Buffer | Promise<Buffer> {
    // Some senders compress an empty message to no byte at all. The tail alone is half of a block header, and zlib
    // would read the first bytes of the next message as the other half.
    if (payload.length === 0) return Buffer.alloc(0);
    const input = Buffer.concat([payload, flushTail]);
    const output = payload.length < largeMessage ? this.#inflateNow(input) : undefined;
    if (output === undefined) return this.#inflateLater(input);
    this.#window?.append(output);
    return output;
  }

  *decompressPart(payload: Buffer, last: boolean): Generator<Buffer, void, undefined> {
    const { windowBits, maxMessageSize } = this.#settings;
    if (this.#inflating === undefined) {
      // The message has its own engine, which the idle timer does not free between parts. The window of `#inflater`
      // lacks this message.
      this.#dropInflater();
      const window = this.#window ?? new SlidingWindow(2 ** windowBits);
      this.#inflating = new InflatingMessage(windowBits, window, maxMessageSize);
    }
    try {
      yield* this.#inflating.inflate(payload, last);
    } catch (error) {
      throw error instanceof WebSocketError ? error : this.#explain(error);
    }
    if (!last) return;
    this.#inflating.close();
    this.#inflating = undefined;
  }

  release(): void {
    this.#idle.stop();
    this.#dropInflater();
    // The closed message is kept, so that decompressing the rest of it is an error.
    this.#inflating?.close();
  }

  /**
   * Returns undefined for a message that is too large for synchronous decompression, or that has bytes after a final
   * block.
   */
  #inflateNow(input: Buffer): Buffer | undefined {
    try {
      return this.#window === undefined ? this.#inflateAlone(input) : this.#inflate(input, this.#window);
    } catch (error) {
      if (isTooLarge(error) && this.#limit > mostAtOnce) return undefined;
      throw this.#explain(error);
    }
  }

  #inflateAlone(input: Buffer): Buffer | undefined {
    const settings = { windowBits: this.#settings.windowBits, maxOutputLength: this.#mostAtOnce };
    const create = () => new SyncInflater(settings);
    return shared.use(`${settings.windowBits}/${settings.maxOutputLength}`, create, (inflater) =>
      inflater.inflate(input),
    );
  }

  #inflate(input: Buffer, window: SlidingWindow): Buffer | undefined {
    const first = this.#idle.touch();
    if (first && window.length === 0) return this.#inflateAlone(input);
    this.#inflater ??= new SyncInflater({
      windowBits: this.#settings.windowBits,
      maxOutputLength: this.#mostAtOnce,
      dictionary: window.toBuffer(),
    });
    const output = this.#inflater.inflate(input);
    if (first) this.#dropInflater();
    return output;
  }

  #dropInflater(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
  }

  get #mostAtOnce(): number {
    return Math.min(this.#limit, mostAtOnce);
  }

  async #inflateLater(input: Buffer): Promise<Buffer> {
    const { windowBits } = this.#settings;
    // The window of the engine for small messages would lack this message.
    this.#dropInflater();
    const window = this.#window ?? new SlidingWindow(2 ** windowBits);
    const outputs: Buffer[] = [];
    let rest = input;
    let budget = this.#limit;
    const streams = new Streams();
    // After a final block (BFINAL) a new stream begins, with the same window (RFC 7692 §7.2.3.4).
    do {
      streams.begin(input.length - rest.length);
      const settings = { windowBits, maxOutputLength: Math.max(1, budget), dictionary: window.toBuffer() };
      const { output, used } = await inflateOnThread(rest, settings).catch((error) => {
        throw this.#explain(error);
      });
      budget -= output.length;
      if (budget < 0) throw this.#tooBig();
      outputs.push(output);
      window.append(output);
      rest = rest.subarray(used);
    } while (rest.length > flushTail.length);
    return outputs.length === 1 ? (outputs[0] as Buffer) : Buffer.concat(outputs);
  }

  #explain(error: unknown): WebSocketError {
    if (isTooLarge(error)) return this.#tooBig();
    return new WebSocketError('WS_ERR_INVALID_COMPRESSION', (error as Error).message, { cause: error });
  }

  #tooBig(): WebSocketError {
    return new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `more than ${this.#limit} bytes after decompression`);
  }
}
