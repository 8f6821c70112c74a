import { constants } from 'node:buffer';
import { MessageBuffer } from '../codec/messageBuffer';
import { Utf8Validator } from '../codec/utf8';
import type { CompressedMessage, DecoderOptions, Message, MessagePart } from '../contracts';
import { WebSocketError } from '../errors';

/**
 * A message whose end has not been received, because more fragments follow, or because its frame goes on in a later
 * chunk. Its bytes are either joined until the end, or returned part by part.
 */
export class PartialMessage {
  readonly text: boolean;
  readonly compressed: boolean;
  /** Checks the UTF-8 of a text while it is received. Compressed text can be checked only after decompression. */
  readonly #validator: Utf8Validator | undefined;
  /** The received bytes; undefined if they are returned in parts. */
  readonly #joined: MessageBuffer | undefined;
  /** The part that is returned next. */
  #part: Buffer | undefined;
  #firstPart = true;
  #size = 0;

  /** @param parts whether the message is returned in parts while it is received */
  constructor(text: boolean, compressed: boolean, parts: boolean) {
    this.text = text;
    this.compressed = compressed;
    this.#validator = text && !compressed ? new Utf8Validator() : undefined;
    this.#joined = parts ? undefined : new MessageBuffer(text && !compressed);
  }

  /** The number of received bytes. */
  get size(): number {
    return this.#size;
  }

  /** The number of received bytes that are kept; 0 if they are returned in parts. */
  get kept(): number {
    return this.#joined?.length ?? 0;
  }

  /** Announces the payload length of a frame header, so that memory can be allocated. */
  expect(size: number): void {
    this.#joined?.expect(size);
  }

  /**
   * Appends bytes. Text is checked at once, so that the connection fails at the first invalid byte and not at the end
   * (RFC 6455 §8.1).
   * @param lasting whether the bytes in the source will not be overwritten
   * @throws WebSocketError WS_ERR_INVALID_UTF8
   */
  append(source: Buffer, from: number, to: number, lasting: boolean): void {
    if (from === to) return;
    if (this.#validator !== undefined && !this.#validator.accept(source.subarray(from, to)))
      throw new WebSocketError('WS_ERR_INVALID_UTF8');
    this.#size += to - from;
    if (this.#joined !== undefined) return this.#joined.append(source, from, to);
    const bytes = source.subarray(from, to);
    // A small part is copied, because a reference would keep the whole read buffer in memory.
    this.#part = lasting && bytes.length * 2 > source.length ? bytes : Buffer.from(bytes);
  }

  /** Returns the bytes received since the last part; undefined if there are none, or if the message is joined. */
  part(): MessagePart | undefined {
    return this.#part === undefined ? undefined : this.#takePart(false);
  }

  /**
   * Returns the message, or its last part. Call it when all bytes have been received.
   * @throws WebSocketError WS_ERR_INVALID_UTF8
   */
  end(): Message | CompressedMessage | MessagePart {
    if (this.#validator !== undefined && !this.#validator.complete)
      throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the last code point is cut off');
    if (this.#joined === undefined) return this.#takePart(true);
    if (this.compressed)
      return { opcode: this.text ? 'text' : 'binary', compressed: true, payload: this.#joined.toBuffer() };
    return this.text ? this.#joined.toText() : this.#joined.toBuffer();
  }

  #takePart(last: boolean): MessagePart {
    const { text, compressed } = this;
    const payload = this.#part ?? Buffer.alloc(0);
    const part: MessagePart = { opcode: 'part', text, compressed, first: this.#firstPart, last, payload };
    this.#firstPart = false;
    this.#part = undefined;
    return part;
  }
}

/**
 * Refuses a message if the sum of the lengths in its frame headers is too large. If the program sets no limit, the
 * limit is the largest string or Buffer of JavaScript: a message that cannot be delivered is not received.
 * @throws WebSocketError WS_ERR_MESSAGE_TOO_BIG
 */
export function checkMessageSize(
  size: number,
  { text, compressed }: Pick<PartialMessage, 'text' | 'compressed'>,
  { maxMessageSize, parts = false }: DecoderOptions,
): void {
  const possible = parts
    ? Number.MAX_SAFE_INTEGER
    : text && !compressed
      ? constants.MAX_STRING_LENGTH
      : constants.MAX_LENGTH;
  // maxMessageSize limits the decompressed size. Bytes that cannot be compressed grow by a few bytes, so the compressed
  // size may be a little larger.
  const allowed = compressed ? maxMessageSize + maxMessageSize / 1024 + 64 : maxMessageSize;
  const limit = Math.min(allowed, possible);
  if (size <= limit) return;
  const detail = compressed ? `${size} compressed bytes` : `${size} bytes are more than ${limit}`;
  throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', detail);
}
