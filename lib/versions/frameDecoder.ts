import { maxControlPayload } from '../codec/controlFrames';
import { maskedCopy, maskIntoScratch, maskingScratch, maskingWindow } from '../codec/masking';
import { decodeUtf8 } from '../codec/utf8';
import type { CompressedMessage, ControlFrame, Decoder, DecoderOptions, Incoming } from '../contracts';
import { WebSocketError } from '../errors';
import {
  type FrameLayout,
  kinds,
  LENGTH,
  LENGTH_16,
  LENGTH_64,
  MASKED,
  OPCODE,
  RESERVED_BITS,
  readLength64,
  refuseLongForm,
  reservedKind,
} from './frameLayout';
import { checkMessageSize, PartialMessage } from './partialMessage';

const noBytes: Buffer = Buffer.alloc(0);

/** The topmost bit of a frame. */
const TOP_BIT = 0x80;

/**
 * Reads the frames of RFC 6455, and of the drafts since hybi-01, and joins fragments. `next()` reads a header
 * (`#readHeader`), then either a frame that the chunk has as a whole (`#readWhole`), or the part of a message that the
 * chunk has (`#readPart`).
 */
export class FrameDecoder implements Decoder {
  readonly #layout: FrameLayout;
  readonly #options: DecoderOptions;
  #chunk: Buffer = noBytes;
  #at = 0;
  /** Payload bytes of the current frame that have not been read; undefined between frames. */
  #remaining: number | undefined;
  #kind = 0;
  #compressed = false;
  #last = false;
  #masked = false;
  #key = 0;
  /** Payload bytes of the current frame that have been read: the position in the masking key. */
  #phase = 0;
  #message: PartialMessage | undefined;
  /** Whether a Close frame was read. The bytes after it are ignored (RFC 6455 §5.5.1). */
  #closed = false;

  constructor(layout: FrameLayout, options: DecoderOptions) {
    this.#layout = layout;
    this.#options = options;
  }

  feed(chunk: Buffer): void {
    // The bytes of the last chunk that have not been read are the beginning of a header or of a control frame, so few
    // bytes are copied.
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
    this.#at = 0;
  }

  next(): Incoming | CompressedMessage | undefined {
    while (!this.#closed) {
      if (this.#remaining === undefined && !this.#readHeader()) return this.#keepRest();
      if (this.#kind >= kinds.close) {
        if (this.#available < (this.#remaining as number)) return this.#keepRest();
        return this.#readControlFrame();
      }
      const message = this.#message === undefined && this.#isWhole() ? this.#readWhole() : this.#readPart();
      if (message !== undefined) return message;
      if (this.#available === 0) break;
    }
    this.#chunk = noBytes;
    return undefined;
  }

  get idle(): boolean {
    return !this.#closed && this.#remaining === undefined && this.#message === undefined && this.#chunk.length === 0;
  }

  get inMessage(): boolean {
    return this.#message !== undefined;
  }

  get partialSize(): number {
    return this.#message?.kept ?? 0;
  }

  finish(): void {
    if (!this.#closed && !this.idle) throw new WebSocketError('WS_ERR_TRUNCATED');
  }

  get #available(): number {
    return this.#chunk.length - this.#at;
  }

  /** Keeps a copy of the unread bytes until the next chunk. A reference would keep the whole read buffer in memory. */
  #keepRest(): undefined {
    this.#chunk = this.#available === 0 ? noBytes : Buffer.from(this.#chunk.subarray(this.#at));
    this.#at = 0;
  }

  /** Reads one frame header. If its last byte has not been received, changes nothing and returns false. */
  #readHeader(): boolean {
    const chunk = this.#chunk;
    const at = this.#at;
    const available = chunk.length - at;
    if (available < 2) return false;
    const layout = this.#layout;
    const first = chunk[at] as number;
    const second = chunk[at + 1] as number;
    const kind = layout.kindOf[first & OPCODE] as number;
    const last = (first & TOP_BIT) === layout.lastFrame;
    const masked = (second & MASKED) !== 0;
    let length = second & LENGTH;
    if ((first & RESERVED_BITS) !== 0) this.#checkReservedBits(first, kind);
    if ((second & MASKED) !== layout.maskBit) throw new WebSocketError(layout.wrongMaskBit);
    this.#checkKind(first, kind, last, length);

    let size = 2;
    if (length === LENGTH_16) {
      if (available < 4) return false;
      length = ((chunk[at + 2] as number) << 8) | (chunk[at + 3] as number);
      if (length < LENGTH_16) refuseLongForm(layout);
      size = 4;
    } else if (length === LENGTH_64) {
      if (available < 10) return false;
      length = readLength64(chunk, at + 2);
      if (length < 0x10000) refuseLongForm(layout);
      size = 10;
    }
    // The size is checked before the masking key and the payload are read, so that a message that is too big is refused
    // by its header.
    if (kind < kinds.close) this.#checkSize(first, kind, length);
    if (masked) {
      if (available < size + 4) return false;
      this.#key = chunk.readInt32LE(at + size);
      size += 4;
    }
    this.#at = at + size;
    this.#remaining = length;
    this.#kind = kind;
    this.#compressed = (first & layout.compressedBit) !== 0;
    this.#last = last;
    this.#masked = masked;
    this.#phase = 0;
    return true;
  }

  /** Refuses a kind of frame that is not allowed at this point (RFC 6455 §5.2, §5.4, §5.5). */
  #checkKind(first: number, kind: number, last: boolean, length: number): void {
    if (kind === kinds.text || kind === kinds.binary) {
      if (this.#message !== undefined)
        throw new WebSocketError('WS_ERR_INVALID_FRAGMENT', 'a new message inside another');
    } else if (kind === kinds.continuation) {
      if (this.#message === undefined) throw new WebSocketError('WS_ERR_INVALID_FRAGMENT', 'no message to continue');
    } else if (kind === reservedKind) {
      throw new WebSocketError('WS_ERR_RESERVED_OPCODE', `0x${(first & OPCODE).toString(16)}`);
    } else if (!last || length > maxControlPayload) {
      throw new WebSocketError('WS_ERR_INVALID_CONTROL_FRAME');
    }
  }

  /** Refuses reserved bits, except RSV1 in the first frame of a compressed message (RFC 7692 §6.1). */
  #checkReservedBits(first: number, kind: number): void {
    const startsMessage = kind === kinds.text || kind === kinds.binary;
    const compressed = (first & RESERVED_BITS) === this.#layout.compressedBit;
    if (this.#options.compression === true && startsMessage && compressed) return;
    throw new WebSocketError('WS_ERR_RESERVED_BITS');
  }

  #checkSize(first: number, kind: number, length: number): void {
    const started = this.#message;
    const compressed = (first & this.#layout.compressedBit) !== 0;
    const message = started ?? { text: kind === kinds.text, compressed };
    checkMessageSize((started?.size ?? 0) + length, message, this.#options);
  }

  #isWhole(): boolean {
    const length = this.#remaining as number;
    return this.#last && length <= this.#available && length <= maskingWindow;
  }

  /** Reads a message of one frame that is in the chunk as a whole, without a PartialMessage. */
  #readWhole(): Incoming | CompressedMessage {
    const text = this.#kind === kinds.text;
    const message = text && !this.#compressed ? this.#takeText() : this.#takeBytes();
    this.#remaining = undefined;
    if (!this.#compressed) return message;
    return { opcode: text ? 'text' : 'binary', compressed: true, payload: message as Buffer };
  }

  #takeText(): string {
    const length = this.#remaining as number;
    let text: string | undefined;
    if (this.#masked) {
      const start = maskIntoScratch(this.#chunk, this.#at, this.#at + length, this.#key, 0);
      text = decodeUtf8(maskingScratch, start, start + length);
    } else {
      text = decodeUtf8(this.#chunk, this.#at, this.#at + length);
    }
    if (text === undefined) throw new WebSocketError('WS_ERR_INVALID_UTF8');
    this.#at += length;
    return text;
  }

  /** Returns a copy of the payload, so that a message shares no read buffer and keeps none in memory. */
  #takeBytes(): Buffer {
    const length = this.#remaining as number;
    const to = this.#at + length;
    const bytes = this.#masked
      ? maskedCopy(this.#chunk, this.#at, to, this.#key)
      : Buffer.from(this.#chunk.subarray(this.#at, to));
    this.#at += length;
    return bytes;
  }

  /**
   * Reads the bytes of the current frame that are in the chunk. Returns the message if it is complete, or a part of it;
   * otherwise undefined.
   */
  #readPart(): Incoming | CompressedMessage | undefined {
    this.#message ??= new PartialMessage(this.#kind === kinds.text, this.#compressed, this.#options.parts === true);
    const message = this.#message;
    message.expect(this.#remaining as number);
    while ((this.#remaining as number) > 0 && this.#available > 0) {
      this.#takePart(message);
      const part = this.#remaining === 0 && this.#last ? undefined : message.part();
      if (part !== undefined) return part;
    }
    if ((this.#remaining as number) > 0) return undefined;
    this.#remaining = undefined;
    if (!this.#last) return undefined;
    this.#message = undefined;
    return message.end();
  }

  #takePart(message: PartialMessage): void {
    const length = Math.min(this.#remaining as number, this.#available, maskingWindow);
    let source = this.#chunk;
    let from = this.#at;
    if (this.#masked) {
      from = maskIntoScratch(source, from, from + length, this.#key, this.#phase);
      source = maskingScratch;
    }
    message.append(source, from, from + length, !this.#masked);
    this.#at += length;
    this.#phase += length;
    this.#remaining = (this.#remaining as number) - length;
  }

  #readControlFrame(): ControlFrame {
    const payload = this.#takeBytes();
    this.#remaining = undefined;
    if (this.#kind === kinds.ping) return { opcode: 'ping', payload };
    if (this.#kind === kinds.pong) return { opcode: 'pong', payload };
    this.#closed = true;
    return this.#layout.decodeClose(payload);
  }
}
