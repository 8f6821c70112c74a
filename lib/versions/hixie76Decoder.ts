import { MessageBuffer } from '../codec/messageBuffer';
import { decodeUtf8, Utf8Validator } from '../codec/utf8';
import type { CloseFrame, Decoder, DecoderOptions, Incoming, Role } from '../contracts';
import { WebSocketError } from '../errors';

const END = 0xff;
const TEXT = 0x00;
const HAS_LENGTH = 0x80;

/**
 * The most digits of 7 bits in a length: they are enough for 2^53. A longer row of digits, such as endless zeros, is
 * refused.
 */
const lengthDigits = 8;

const noBytes = Buffer.alloc(0);

/** The element that the next byte belongs to. */
type State =
  | { readonly in: 'nothing' }
  | { readonly in: 'text'; readonly text: MessageBuffer; readonly validator: Utf8Validator }
  /** A frame of an unknown kind that lasts until FF. */
  | { readonly in: 'unknown'; size: number }
  | { readonly in: 'length'; readonly type: number; length: number; digits: number }
  /** A frame of an unknown kind that has a length. */
  | { readonly in: 'skipped'; remaining: number }
  | { readonly in: 'closed' };

/**
 * Reads the frames of hixie-75 and -76 (hixie-76 §5.3): text between 00 and FF, and frames of other types, which are
 * skipped.
 */
export class Hixie76Decoder implements Decoder {
  readonly #role: Role;
  readonly #maxMessageSize: number;
  readonly #closes: boolean;
  #chunk: Buffer = noBytes;
  #at = 0;
  #state: State = { in: 'nothing' };

  /** @param options.closes whether FF 00 closes the connection, as in hixie-76 */
  constructor(role: Role, { maxMessageSize, closes }: DecoderOptions & { readonly closes: boolean }) {
    this.#role = role;
    this.#maxMessageSize = maxMessageSize;
    this.#closes = closes;
  }

  feed(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  next(): Incoming | undefined {
    while (this.#at < this.#chunk.length && this.#state.in !== 'closed') {
      const item = this.#step(this.#state);
      if (item !== undefined) return item;
    }
    this.#chunk = noBytes;
    this.#at = 0;
    return undefined;
  }

  get idle(): boolean {
    return this.#state.in === 'nothing' && this.#chunk.length === 0;
  }

  get inMessage(): boolean {
    return this.#state.in === 'text';
  }

  get partialSize(): number {
    return this.#state.in === 'text' ? this.#state.text.length : 0;
  }

  finish(): void {
    if (!this.idle && this.#state.in !== 'closed') throw new WebSocketError('WS_ERR_TRUNCATED');
  }

  #step(state: Exclude<State, { readonly in: 'closed' }>): Incoming | undefined {
    switch (state.in) {
      case 'nothing':
        return this.#start(this.#chunk.readUInt8(this.#at++));
      case 'text':
        return this.#readText(state.text, state.validator);
      case 'unknown':
        return this.#skipToEnd(state);
      case 'length':
        return this.#readLength(state);
      case 'skipped':
        return this.#skip(state);
    }
  }

  #start(type: number): string | undefined {
    const whole = type === TEXT ? this.#readWhole() : undefined;
    if (whole !== undefined) return whole;
    if (type === TEXT) this.#state = { in: 'text', text: new MessageBuffer(true), validator: new Utf8Validator() };
    else if (type < HAS_LENGTH) this.#state = { in: 'unknown', size: 0 };
    else this.#state = { in: 'length', type, length: 0, digits: 0 };
    return undefined;
  }

  /** Reads a text that begins and ends in this chunk; undefined if it does not end in it. */
  #readWhole(): string | undefined {
    const end = this.#chunk.indexOf(END, this.#at);
    if (end === -1) return undefined;
    this.#checkSize(end - this.#at);
    const text = this.#decode(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  /**
   * Decodes a text. Where the text is not UTF-8, a client puts replacement characters (hixie-76 §4.2); a server may
   * refuse the text, and this one does.
   */
  #decode(from: number, to: number): string {
    if (this.#role === 'client') return this.#chunk.toString('utf8', from, to);
    const text = decodeUtf8(this.#chunk, from, to);
    if (text === undefined) throw new WebSocketError('WS_ERR_INVALID_UTF8');
    return text;
  }

  #readText(text: MessageBuffer, validator: Utf8Validator): string | undefined {
    const { from, to, ended } = this.#takeToEnd();
    this.#checkSize(text.length + to - from);
    if (this.#role === 'server' && !validator.accept(this.#chunk.subarray(from, to)))
      throw new WebSocketError('WS_ERR_INVALID_UTF8');
    text.append(this.#chunk, from, to);
    if (!ended) return undefined;
    if (this.#role === 'server' && !validator.complete)
      throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the last code point is cut off');
    this.#state = { in: 'nothing' };
    return text.toText();
  }

  #skipToEnd(state: { size: number }): undefined {
    const { from, to, ended } = this.#takeToEnd();
    state.size += to - from;
    this.#checkSize(state.size);
    if (ended) this.#state = { in: 'nothing' };
  }

  /** Takes the bytes up to and including the next FF; if the chunk has none, all bytes of the chunk. */
  #takeToEnd(): { readonly from: number; readonly to: number; readonly ended: boolean } {
    const from = this.#at;
    const end = this.#chunk.indexOf(END, from);
    const to = end === -1 ? this.#chunk.length : end;
    this.#at = end === -1 ? to : to + 1;
    return { from, to, ended: end !== -1 };
  }

  #readLength(state: { readonly type: number; length: number; digits: number }): CloseFrame | undefined {
    const digit = this.#chunk.readUInt8(this.#at++);
    state.length = state.length * 128 + (digit & 0x7f);
    state.digits++;
    this.#checkSize(state.length);
    if ((digit & 0x80) !== 0) {
      if (state.digits === lengthDigits)
        throw new WebSocketError('WS_ERR_INVALID_LENGTH', `more than ${lengthDigits} digits`);
      return undefined;
    }
    if (state.length > 0) {
      this.#state = { in: 'skipped', remaining: state.length };
      return undefined;
    }
    const isClose = this.#closes && state.type === END;
    this.#state = { in: isClose ? 'closed' : 'nothing' };
    return isClose ? { opcode: 'close', code: 1005, reason: '' } : undefined;
  }

  #skip(state: { remaining: number }): undefined {
    const size = Math.min(state.remaining, this.#chunk.length - this.#at);
    this.#at += size;
    state.remaining -= size;
    if (state.remaining === 0) this.#state = { in: 'nothing' };
  }

  #checkSize(size: number): void {
    if (size <= this.#maxMessageSize) return;
    throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `more than ${this.#maxMessageSize} bytes`);
  }
}
