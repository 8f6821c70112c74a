import type { Compressor } from '../contracts';
import { IdleTimer, SharedEngines } from './idle';
import { type DeflateSettings, deflateOnThread, largeMessage, SyncDeflater } from './zlibEngines';

export interface CompressorSettings extends DeflateSettings {
  /** Each message stands alone. */
  readonly noContextTakeover: boolean;
  /** Bytes from which on a message is worth it. */
  readonly threshold: number;
  /** Milliseconds of silence after which the window is forgotten, and its memory given back. */
  readonly idleRelease: number;
}

/** What an empty message is compressed to (RFC 7692 §7.2.3.6). */
const emptyMessage = Buffer.from([0x00]);

/** After messages that would not become smaller, up to this many are sent as they are before the next is tried. */
const mostSkipped = 15;

const shared = new SharedEngines<SyncDeflater>();

/**
 * Compresses the messages of one connection (RFC 7692 §7.2.1). The first message for a while is compressed alone: only a
 * connection with a conversation on it gets the quarter of a megabyte that a window of its own costs.
 */
export class DeflateCompressor implements Compressor {
  readonly #settings: CompressorSettings;
  readonly #idle: IdleTimer;
  /** It may be given up at any time: a sender need not refer to what it sent before. */
  #deflater: SyncDeflater | undefined;
  readonly #textLuck = new Luck();
  readonly #binaryLuck = new Luck();

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
    const luck = typeof payload === 'string' ? this.#textLuck : this.#binaryLuck;
    return luck.skips() ? undefined : this.#compress(bytes, luck);
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

  /** The bytes of a message that is large enough, or that the program wants to be compressed. */
  #worthwhile(payload: string | Uint8Array, wanted: boolean | undefined): Uint8Array | undefined {
    if (wanted === false) return undefined;
    const text = typeof payload === 'string';
    const least = wanted === true ? 0 : this.#settings.threshold;
    // A character has up to three bytes.
    if (payload.length * (text ? 3 : 1) < least) return undefined;
    const bytes = text ? Buffer.from(payload) : payload;
    return bytes.length < least ? undefined : bytes;
  }

  #compress(bytes: Uint8Array, luck: Luck | undefined): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return bytes.length < largeMessage ? this.#compressNow(bytes, luck) : this.#compressLater(bytes, luck);
  }

  release(): void {
    this.#idle.stop();
    this.#deflater?.close();
    this.#deflater = undefined;
  }

  #compressNow(bytes: Uint8Array, luck: Luck | undefined): Uint8Array | undefined {
    const compressed = this.#settings.noContextTakeover ? this.#deflateAlone(bytes) : this.#deflate(bytes);
    if (luck?.isBad(compressed, bytes)) {
      // The peer does not see this message as the deflater did, which must therefore not refer to it.
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

  async #compressLater(bytes: Uint8Array, luck: Luck | undefined): Promise<Uint8Array | undefined> {
    const compressed = await deflateOnThread(bytes, this.#engine);
    if (luck?.isBad(compressed, bytes)) return undefined;
    // It has filled the peer's window; what our deflater has seen is out of its sight.
    this.#deflater?.reset();
    return compressed;
  }
}

/** Whether it has been worthwhile of late to compress messages of one kind. Pictures, say, do not become smaller by it. */
class Luck {
  #failures = 0;
  #toSkip = 0;

  /** Whether the next message should be sent as it is, without an attempt. */
  skips(): boolean {
    if (this.#toSkip === 0) return false;
    this.#toSkip--;
    return true;
  }

  isBad(compressed: Uint8Array, bytes: Uint8Array): boolean {
    const bad = compressed.length >= bytes.length;
    this.#failures = bad ? this.#failures + 1 : 0;
    this.#toSkip = Math.min(2 ** this.#failures - 1, mostSkipped);
    return bad;
  }
}
