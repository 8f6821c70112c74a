import type { Compressor } from '../contracts';
import { IdleTimer, SharedEngines } from './idle';
import { type DeflateSettings, deflateOnThread, largeMessage, SyncDeflater } from './zlibEngines';

export interface CompressorSettings extends DeflateSettings {
  /** Whether each message is compressed alone. */
  readonly noContextTakeover: boolean;
  /** Messages with fewer bytes are not compressed. */
  readonly threshold: number;
  /** Milliseconds without a message after which the window is emptied and its memory freed. */
  readonly idleRelease: number;
}

/** The compressed form of an empty message (RFC 7692 §7.2.3.6). */
const emptyMessage = Buffer.from([0x00]);

/**
 * The most messages that are sent uncompressed, after messages that did not become smaller, before compression is tried
 * again.
 */
const mostSkipped = 15;

const shared = new SharedEngines<SyncDeflater>();

/**
 * Compresses the messages of one connection (RFC 7692 §7.2.1). The first message after a pause is compressed alone, by
 * a shared engine. Only for further messages a connection gets its own engine, which takes 96 KiB by default.
 */
export class DeflateCompressor implements Compressor {
  readonly #settings: CompressorSettings;
  readonly #idle: IdleTimer;
  /**
   * The engine of this connection. It can be freed at any time, because a sender need not refer to earlier messages.
   */
  #deflater: SyncDeflater | undefined;
  readonly #textResults = new Results();
  readonly #binaryResults = new Results();

  constructor(settings: CompressorSettings) {
    this.#settings = settings;
    this.#idle = new IdleTimer(settings.idleRelease, () => this.release());
  }

  compress(
    payload: string | Uint8Array,
    wanted: boolean | undefined,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const bytes = this.#worthwhile(payload, wanted);
    if (bytes === undefined) return undefined;
    if (bytes.length === 0) return emptyMessage;
    if (wanted === true) return this.#compress(bytes, undefined);
    const results = typeof payload === 'string' ? this.#textResults : this.#binaryResults;
    return results.skipNext() ? undefined : this.#compress(bytes, results);
  }

  get variant(): string {
    const { windowBits, level, memLevel, threshold } = this.#settings;
    return `deflate/${windowBits}/${level}/${memLevel}/${threshold}`;
  }

  compressAlone(
    payload: string | Uint8Array,
    wanted: boolean | undefined,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const bytes = this.#worthwhile(payload, wanted);
    if (bytes === undefined) return undefined;
    if (bytes.length === 0) return emptyMessage;
    const choose = (compressed: Buffer) =>
      wanted === true || compressed.length < bytes.length ? compressed : undefined;
    if (bytes.length < largeMessage) return choose(this.#deflateAlone(bytes));
    return deflateOnThread(bytes, this.#engine).then(choose);
  }

  sentAlone(): void {
    this.#deflater?.reset();
  }

  /**
   * Returns the bytes of a message that is large enough, or that the program wants to be compressed; undefined for any
   * other message.
   */
  #worthwhile(payload: string | Uint8Array, wanted: boolean | undefined): Uint8Array | undefined {
    if (wanted === false) return undefined;
    const text = typeof payload === 'string';
    const least = wanted === true ? 0 : this.#settings.threshold;
    // In UTF-8, a character of a string takes up to three bytes.
    if (payload.length * (text ? 3 : 1) < least) return undefined;
    const bytes = text ? Buffer.from(payload) : payload;
    return bytes.length < least ? undefined : bytes;
  }

  #compress(bytes: Uint8Array, results: Results | undefined): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return bytes.length < largeMessage ? this.#compressNow(bytes, results) : this.#compressLater(bytes, results);
  }

  release(): void {
    this.#idle.stop();
    this.#deflater?.close();
    this.#deflater = undefined;
  }

  #compressNow(bytes: Uint8Array, results: Results | undefined): Uint8Array | undefined {
    const compressed = this.#settings.noContextTakeover ? this.#deflateAlone(bytes) : this.#deflate(bytes);
    if (results?.isLarger(compressed, bytes)) {
      // The message is sent uncompressed, so the peer's window does not have it, and the deflater must not refer to it.
      this.#deflater?.reset();
      return undefined;
    }
    return compressed;
  }

  #deflateAlone(bytes: Uint8Array): Buffer {
    const { windowBits, level, memLevel } = this.#engine;
    const create = () => new SyncDeflater(this.#engine);
    return shared.use(`${windowBits}/${level}/${memLevel}`, create, (deflater) => deflater.deflate(bytes));
  }

  get #engine(): DeflateSettings {
    const { windowBits, level, memLevel } = this.#settings;
    return { windowBits, level, memLevel };
  }

  #deflate(bytes: Uint8Array): Buffer {
    if (this.#idle.touch()) return this.#deflateAlone(bytes);
    this.#deflater ??= new SyncDeflater(this.#engine);
    return this.#deflater.deflate(bytes);
  }

  async #compressLater(bytes: Uint8Array, results: Results | undefined): Promise<Uint8Array | undefined> {
    const compressed = await deflateOnThread(bytes, this.#engine);
    if (results?.isLarger(compressed, bytes)) return undefined;
    // This message has filled the peer's window, so the deflater must not refer to earlier ones.
    this.#deflater?.reset();
    return compressed;
  }
}

/**
 * The results of compressing messages of one type. If messages do not become smaller, as pictures do not, most of the
 * later ones are skipped.
 */
class Results {
  #failures = 0;
  #toSkip = 0;

  /** Returns whether the next message is sent uncompressed without trying to compress it. */
  skipNext(): boolean {
    if (this.#toSkip === 0) return false;
    this.#toSkip--;
    return true;
  }

  /** Records a result. Returns whether the message has not become smaller. */
  isLarger(compressed: Uint8Array, bytes: Uint8Array): boolean {
    const larger = compressed.length >= bytes.length;
    this.#failures = larger ? this.#failures + 1 : 0;
    this.#toSkip = Math.min(2 ** this.#failures - 1, mostSkipped);
    return larger;
  }
}
