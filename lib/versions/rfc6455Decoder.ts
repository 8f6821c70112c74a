import { decodeCloseBody, maxControlPayload } from '../codec/controlFrames';
import { maskedCopy, maskIntoScratch, maskingScratch, maskingWindow } from '../codec/masking';
import { decodeUtf8 } from '../codec/utf8';
import type { CompressedMessage, ControlFrame, Decoder, DecoderOptions, Incoming, Role } from '../contracts';
import { WebSocketError } from '../errors';
import { checkMessageSize, type PartialMessage, startMessage } from './partialMessage';
import {
  FIN,
  isControl,
  LENGTH,
  LENGTH_16,
  LENGTH_64,
  MASKED,
  OPCODE,
  opcodes,
  RESERVED_BITS,
  RSV1,
} from './rfc6455Frames';

const noBytes = Buffer.alloc(0);

/**
 * Reads the frames of RFC 6455 and joins fragments. Three steps, taken again and again by `next()`: a header (`#readHeader`),
 * then either a frame that lies whole in the chunk, or a part of a message that does not (`#readPart`).
 */
export class Rfc6455Decoder implements Decoder {
  readonly #role: Role;
  readonly #options: DecoderOptions;
  #chunk: Buffer = noBytes;
  #at = 0;
  /** The frame in hand; `#remaining` is what is still to come of its payload, undefined between frames. */
  #remaining: number | undefined;
  #opcode = 0;
  #compressed = false;
  #fin = false;
  #masked = false;
  #key = 0;
  #phase = 0;
  #message: PartialMessage | undefined;
  /** A Close frame was read: whatever follows it is not looked at (§5.5.1). */
  #closed = false;

  constructor(role: Role, options: DecoderOptions) {
    this.#role = role;
    this.#options = options;
  }

  feed(chunk: Buffer): void {
    // What is left is the beginning of a header or of a control frame: a few bytes.
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
    this.#at = 0;
  }

  next(): Incoming | CompressedMessage | undefined {
    while (!this.#closed) {
      if (this.#remaining === undefined && !this.#readHeader()) return this.#keepRest();
      if (isControl(this.#opcode)) {
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

  finish(): void {
    if (!this.#closed && !this.idle) throw new WebSocketError('WS_ERR_TRUNCATED');
  }

  get #available(): number {
    return this.#chunk.length - this.#at;
  }

  /** Puts the unread bytes aside until the next chunk, in a copy: they must not keep a whole read buffer alive. */
  #keepRest(): undefined {
    this.#chunk = this.#available === 0 ? noBytes : Buffer.from(this.#chunk.subarray(this.#at));
    this.#at = 0;
  }

  /** Reads one frame header, or returns false if its end has not come. Moves nothing in that case. */
  #readHeader(): boolean {
    const chunk = this.#chunk;
    const at = this.#at;
    const available = chunk.length - at;
    if (available < 2) return false;
    const first = chunk[at] as number;
    const second = chunk[at + 1] as number;
    const masked = (second & MASKED) !== 0;
    let length = second & LENGTH;
    this.#checkStart(first, masked, length);

    let size = 2;
    if (length === LENGTH_16) {
      if (available < 4) return false;
      length = ((chunk[at + 2] as number) << 8) | (chunk[at + 3] as number);
      if (length < LENGTH_16) throw new WebSocketError('WS_ERR_INVALID_LENGTH', 'not the shortest form');
      size = 4;
    } else if (length === LENGTH_64) {
      if (available < 10) return false;
      length = readLength64(chunk, at + 2);
      size = 10;
    }
    // Before the masking key, and before a byte of the payload: an oversized message is refused by its header.
    if (!isControl(first & OPCODE)) this.#checkSize(first, length);
    if (masked) {
      if (available < size + 4) return false;
      this.#key = chunk.readInt32LE(at + size);
      size += 4;
    }
    this.#at = at + size;
    this.#remaining = length;
    this.#opcode = first & OPCODE;
    this.#compressed = (first & RSV1) !== 0;
    this.#fin = (first & FIN) !== 0;
    this.#masked = masked;
    this.#phase = 0;
    return true;
  }

  /** What the first two bytes of a frame can do wrong (§5.1, §5.2, §5.4, §5.5). */
  #checkStart(first: number, masked: boolean, length: number): void {
    const opcode = first & OPCODE;
    if ((first & RESERVED_BITS) !== 0) this.#checkReservedBits(first);
    if (masked !== (this.#role === 'server')) {
      throw new WebSocketError(masked ? 'WS_ERR_MASK_FORBIDDEN' : 'WS_ERR_MASK_REQUIRED');
    }
    if (opcode === opcodes.text || opcode === opcodes.binary) {
      if (this.#message !== undefined)
        throw new WebSocketError('WS_ERR_INVALID_FRAGMENT', 'a new message inside another');
    } else if (opcode === opcodes.continuation) {
      if (this.#message === undefined) throw new WebSocketError('WS_ERR_INVALID_FRAGMENT', 'no message to continue');
    } else if (opcode < opcodes.close || opcode > opcodes.pong) {
      throw new WebSocketError('WS_ERR_RESERVED_OPCODE', `0x${opcode.toString(16)}`);
    } else if ((first & FIN) === 0 || length > maxControlPayload) {
      throw new WebSocketError('WS_ERR_INVALID_CONTROL_FRAME');
    }
  }

  /** Only the first frame of a message can say that it is compressed (RFC 7692 §6.1). */
  #checkReservedBits(first: number): void {
    const opcode = first & OPCODE;
    const startsMessage = opcode === opcodes.text || opcode === opcodes.binary;
    if (this.#options.compression === true && startsMessage && (first & RESERVED_BITS) === RSV1) return;
    throw new WebSocketError('WS_ERR_RESERVED_BITS');
  }

  #checkSize(first: number, length: number): void {
    const started = this.#message;
    const message = started ?? { text: (first & OPCODE) === opcodes.text, compressed: (first & RSV1) !== 0 };
    checkMessageSize((started?.size ?? 0) + length, message, this.#options);
  }

  #isWhole(): boolean {
    const length = this.#remaining as number;
    return this.#fin && length <= this.#available && length <= maskingWindow;
  }

  /** A message of one frame that lies in the chunk from end to end: no MessageBuffer, no second look. */
  #readWhole(): Incoming | CompressedMessage {
    const text = this.#opcode === opcodes.text;
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

  /** The payload in memory of its own, so that a kept message does not keep a read buffer alive, nor share one. */
  #takeBytes(): Buffer {
    const length = this.#remaining as number;
    const to = this.#at + length;
    const bytes = this.#masked
      ? maskedCopy(this.#chunk, this.#at, to, this.#key)
      : Buffer.from(this.#chunk.subarray(this.#at, to));
    this.#at += length;
    return bytes;
  }

  /** Takes what the chunk has of the frame in hand; returns the message when that was the last of it, or a part of it. */
  #readPart(): Incoming | CompressedMessage | undefined {
    this.#message ??= startMessage(this.#opcode === opcodes.text, this.#compressed, this.#options.parts === true);
    const message = this.#message;
    message.expect(this.#remaining as number);
    while ((this.#remaining as number) > 0 && this.#available > 0) {
      this.#takePart(message);
      const part = this.#remaining === 0 && this.#fin ? undefined : message.part();
      if (part !== undefined) return part;
    }
    if ((this.#remaining as number) > 0) return undefined;
    this.#remaining = undefined;
    if (!this.#fin) return undefined;
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
    if (this.#opcode === opcodes.ping) return { opcode: 'ping', payload };
    if (this.#opcode === opcodes.pong) return { opcode: 'pong', payload };
    this.#closed = true;
    return decodeCloseBody(payload);
  }
}

/** @throws a 1002 error for a length with its top bit set, which §5.2 forbids */
function readLength64(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32BE(at);
  if (high >= 0x80000000) throw new WebSocketError('WS_ERR_INVALID_LENGTH', 'the top bit of a 64-bit length is set');
  // Past 2^53 the sum is not exact, but still larger than any limit.
  const length = high * 0x100000000 + bytes.readUInt32BE(at + 4);
  if (length < 0x10000) throw new WebSocketError('WS_ERR_INVALID_LENGTH', 'not the shortest form');
  return length;
}
