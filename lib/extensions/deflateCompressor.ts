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
    if (wanted === false) return undefined;
    const text = typeof payload === 'string';
    // Up to three bytes a character.
    if (wanted === undefined && payload.length * (text ? 3 : 1) < this.#settings.threshold) return undefined;
    const bytes = text ? Buffer.from(payload) : payload;
    if (wanted === undefined && bytes.length < this.#settings.threshold) return undefined;
    if (bytes.length === 0) return emptyMessage;
    const luck = text ? this.#textLuck : this.#binaryLuck;
    if (wanted === undefined && luck.skips()) return undefined;
    const tried = wanted === true ? undefined : luck;
    return bytes.length < largeMessage ? this.#compressNow(bytes, tried) : this.#compressLater(bytes, tried);
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
    const { windowBits, level, memLevel } = this.#settings;
    const create = () => new SyncDeflater({ windowBits, level, memLevel });
    return shared.use(`${windowBits}/${level}/${memLevel}`, create, (deflater) => deflater.deflate(bytes));
  }

  #deflate(bytes: Uint8Array): Buffer {
    if (this.#idle.touch()) return this.#deflateAlone(bytes);
    const { windowBits, level, memLevel } = this.#settings;
    this.#deflater ??= new SyncDeflater({ windowBits, level, memLevel });
    return this.#deflater.deflate(bytes);
  }

  async #compressLater(bytes: Uint8Array, luck: Luck | undefined): Promise<Uint8Array | undefined> {
    const { windowBits, level, memLevel } = this.#settings;
    const compressed = await deflateOnThread(bytes, { windowBits, level, memLevel });
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
