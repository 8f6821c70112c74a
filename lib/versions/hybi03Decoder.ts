import { maxControlPayload } from '../codec/controlFrames';
import type { CompressedMessage, ControlFrame, Decoder, DecoderOptions, Incoming } from '../contracts';
import { WebSocketError } from '../errors';
import { checkMessageSize, type PartialMessage, startMessage } from './partialMessage';

/** The frame layout of hybi-01 to -03 (§4.2): the bit says that more is to come, where RFC 6455 has one for the end. */
export const MORE = 0x80;

export const opcodes = { continuation: 0, close: 1, ping: 2, pong: 3, text: 4, binary: 5 } as const;

/** What our own Close frames say, for their answers to be told from the peer's. */
export const ownGoodbye = Buffer.from('node-websocket-handler');

const RESERVED_BITS = 0x70;
const RESERVED_BIT_4 = 0x80;

const noBytes: Buffer = Buffer.alloc(0);

interface Frame {
  readonly opcode: number;
  readonly more: boolean;
  remaining: number;
}

/** Reads the frames of hybi-01 to -03 and joins fragments. Nothing is masked, in either direction. */
export class Hybi03Decoder implements Decoder {
  readonly #options: DecoderOptions;
  #chunk: Buffer = noBytes;
  #at = 0;
  #frame: Frame | undefined;
  #message: PartialMessage | undefined;
  /** A Close frame was read: whatever follows it is not looked at. */
  #closed = false;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  feed(chunk: Buffer): void {
    // What is left is the beginning of a header or of a control frame: a few bytes.
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
    this.#at = 0;
  }

  next(): Incoming | CompressedMessage | undefined {
    while (!this.#closed) {
      this.#frame ??= this.#readHeader();
      const frame = this.#frame;
      if (frame === undefined) return this.#keepRest();
      if (isControl(frame.opcode)) {
        if (this.#available < frame.remaining) return this.#keepRest();
        return this.#readControlFrame(frame);
      }
      const message = this.#readPart(frame);
      if (message !== undefined) return message;
      if (this.#available === 0) break;
    }
    this.#chunk = noBytes;
    return undefined;
  }

  get idle(): boolean {
    return !this.#closed && this.#frame === undefined && this.#message === undefined && this.#chunk.length === 0;
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

  /** Puts the unread bytes aside, in a copy: they must not keep a whole read buffer alive. */
  #keepRest(): undefined {
    this.#chunk = this.#available === 0 ? noBytes : Buffer.from(this.#chunk.subarray(this.#at));
    this.#at = 0;
  }

  #readHeader(): Frame | undefined {
    if (this.#available < 2) return undefined;
    const first = this.#chunk.readUInt8(this.#at);
    const second = this.#chunk.readUInt8(this.#at + 1);
    const opcode = first & 0x0f;
    const more = (first & MORE) !== 0;
    this.#checkStart(first, second, opcode, more);
    const header = second === 126 ? 4 : second === 127 ? 10 : 2;
    if (this.#available < header) return undefined;
    const remaining = header === 2 ? second : this.#readLength(header);
    if (!isControl(opcode)) this.#checkSize(opcode, remaining);
    this.#at += header;
    return { opcode, more, remaining };
  }

  #checkStart(first: number, second: number, opcode: number, more: boolean): void {
    if ((first & RESERVED_BITS) !== 0 || (second & RESERVED_BIT_4) !== 0)
      throw new WebSocketError('WS_ERR_RESERVED_BITS');
    if (opcode > opcodes.binary) throw new WebSocketError('WS_ERR_RESERVED_OPCODE', `0x${opcode.toString(16)}`);
    if (isControl(opcode)) {
      if (more || second > maxControlPayload) throw new WebSocketError('WS_ERR_INVALID_CONTROL_FRAME');
    } else if ((opcode === opcodes.continuation) !== (this.#message !== undefined)) {
      const detail = this.#message === undefined ? 'no message to continue' : 'a new message inside another';
      throw new WebSocketError('WS_ERR_INVALID_FRAGMENT', detail);
    }
  }

  #readLength(header: number): number {
    if (header === 4) return this.#chunk.readUInt16BE(this.#at + 2);
    const high = this.#chunk.readUInt32BE(this.#at + 2);
    if (high >= 0x80000000) throw new WebSocketError('WS_ERR_INVALID_LENGTH', 'the top bit of a 64-bit length is set');
    return high * 0x100000000 + this.#chunk.readUInt32BE(this.#at + 6);
  }

  #checkSize(opcode: number, length: number): void {
    const started = this.#message;
    const message = started ?? { text: opcode === opcodes.text, compressed: false };
    checkMessageSize((started?.size ?? 0) + length, message, this.#options);
  }

  /** Takes what the chunk has of the frame in hand; returns the message when that was the last of it, or a part of it. */
  #readPart(frame: Frame): Incoming | CompressedMessage | undefined {
    this.#message ??= startMessage(frame.opcode === opcodes.text, false, this.#options.parts === true);
    const message = this.#message;
    message.expect(frame.remaining);
    const to = this.#at + Math.min(frame.remaining, this.#available);
    message.append(this.#chunk, this.#at, to, true);
    frame.remaining -= to - this.#at;
    this.#at = to;
    if (frame.remaining > 0) return message.part();
    this.#frame = undefined;
    if (frame.more) return message.part();
    this.#message = undefined;
    return message.end();
  }

  #readControlFrame({ opcode, remaining }: Frame): ControlFrame {
    const payload = Buffer.from(this.#chunk.subarray(this.#at, this.#at + remaining));
    this.#at += remaining;
    this.#frame = undefined;
    if (opcode === opcodes.ping) return { opcode: 'ping', payload };
    if (opcode === opcodes.pong) return { opcode: 'pong', payload };
    this.#closed = true;
    return { opcode: 'close', code: 1005, reason: '', ...(!payload.equals(ownGoodbye) && { body: payload }) };
  }
}

function isControl(opcode: number): boolean {
  return opcode >= opcodes.close && opcode <= opcodes.pong;
}
