import { constants } from 'node:buffer';
import { decodeCloseBody, maxControlPayload } from '../codec/controlFrames';
import { maskedCopy, maskIntoScratch, maskingScratch, maskingWindow } from '../codec/masking';
import { MessageBuffer } from '../codec/messageBuffer';
import { decodeUtf8, Utf8Validator } from '../codec/utf8';
import type { CompressedMessage, ControlFrame, Decoder, DecoderOptions, Incoming, Role } from '../contracts';
import { WebSocketError } from '../errors';
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

/** A message whose end has not come yet: a fragment of it has ended, or its frame goes on in a chunk to come. */
interface PartialMessage {
  readonly text: boolean;
  readonly compressed: boolean;
  /** Checks text while it comes; what is compressed can be checked only later. */
  readonly validator: Utf8Validator | undefined;
  readonly bytes: MessageBuffer;
}

/**
 * Reads the frames of RFC 6455 and joins fragments. Three steps, taken again and again by `next()`: a header (`#readHeader`),
 * then either a frame that lies whole in the chunk, or a part of a message that does not (`#readPart`).
 */
export class Rfc6455Decoder implements Decoder {
  readonly #role: Role;
  readonly #maxMessageSize: number;
  readonly #compression: boolean;
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

  constructor(role: Role, { maxMessageSize, compression = false }: DecoderOptions) {
    this.#role = role;
    this.#maxMessageSize = maxMessageSize;
    this.#compression = compression;
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

  finish(): void {
    if (this.#closed) return;
    if (this.#remaining !== undefined || this.#message !== undefined || this.#chunk.length > 0) {
      throw new WebSocketError('WS_ERR_TRUNCATED');
    }
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
    if (this.#compression && startsMessage && (first & RESERVED_BITS) === RSV1) return;
    throw new WebSocketError('WS_ERR_RESERVED_BITS');
  }

  #checkSize(first: number, length: number): void {
    const message = this.#message;
    const size = (message?.bytes.length ?? 0) + length;
    if ((first & RSV1) !== 0 || message?.compressed) return this.#checkCompressedSize(size);
    const text = (first & OPCODE) === opcodes.text || message?.text;
    // Where the program sets no limit, JavaScript does: a message that could not be delivered is not received.
    const limit = Math.min(this.#maxMessageSize, text ? constants.MAX_STRING_LENGTH : constants.MAX_LENGTH);
    if (size > limit) throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `${size} bytes are more than ${limit}`);
  }

  /** The limit is for what will come out of it; what cannot be compressed grows by a few bytes. */
  #checkCompressedSize(size: number): void {
    const limit = Math.min(this.#maxMessageSize + this.#maxMessageSize / 1024 + 64, constants.MAX_LENGTH);
    if (size > limit) throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `${size} compressed bytes`);
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
    return this.#compressed ? compressedMessage(text, message as Buffer) : message;
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

  /** Takes what the chunk has of the frame in hand; returns the message when that was the last of it. */
  #readPart(): Incoming | CompressedMessage | undefined {
    this.#message ??= startMessage(this.#opcode === opcodes.text, this.#compressed);
    const { text, compressed, validator, bytes } = this.#message;
    bytes.expect(this.#remaining as number);
    while ((this.#remaining as number) > 0 && this.#available > 0) this.#takePart(this.#message);
    if ((this.#remaining as number) > 0) return undefined;
    this.#remaining = undefined;
    if (!this.#fin) return undefined;
    this.#message = undefined;
    if (compressed) return compressedMessage(text, bytes.toBuffer());
    if (validator === undefined) return bytes.toBuffer();
    if (!validator.complete) throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the last code point is cut off');
    return bytes.toText();
  }

  #takePart({ validator, bytes }: PartialMessage): void {
    const length = Math.min(this.#remaining as number, this.#available, maskingWindow);
    let source = this.#chunk;
    let from = this.#at;
    if (this.#masked) {
      from = maskIntoScratch(source, from, from + length, this.#key, this.#phase);
      source = maskingScratch;
    }
    // Part by part, so that the first impossible byte ends the message (§8.1), not its last.
    if (validator !== undefined && !validator.accept(source.subarray(from, from + length))) {
      throw new WebSocketError('WS_ERR_INVALID_UTF8');
    }
    bytes.append(source, from, from + length);
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

function startMessage(text: boolean, compressed: boolean): PartialMessage {
  const readable = text && !compressed;
  return {
    text,
    compressed,
    validator: readable ? new Utf8Validator() : undefined,
    bytes: new MessageBuffer(readable),
  };
}

function compressedMessage(text: boolean, payload: Buffer): CompressedMessage {
  return { opcode: text ? 'text' : 'binary', compressed: true, payload };
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
