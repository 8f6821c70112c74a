import { constants } from 'node:buffer';
import { MessageBuffer } from '../codec/messageBuffer';
import { Utf8Validator } from '../codec/utf8';
import type { CompressedMessage, DecoderOptions, Message, MessagePart } from '../contracts';
import { WebSocketError } from '../errors';

/**
 * A message whose end has not been received: a fragment of it has ended, or its frame goes on in a later chunk. Its bytes are either
 * joined until the end, or handed over part by part.
 */
export class PartialMessage {
  readonly text: boolean;
  readonly compressed: boolean;
  /** Checks text while it is received; compressed text can be checked only later. */
  readonly #validator: Utf8Validator | undefined;
  /** The bytes so far; undefined if they are handed over in parts. */
  readonly #joined: MessageBuffer | undefined;
  /** The part that is to be handed over next. */
  #part: Buffer | undefined;
  #firstPart = true;
  #size = 0;

  /** @param parts whether it is handed over while it is received */
  constructor(text: boolean, compressed: boolean, parts: boolean) {
    this.text = text;
    this.compressed = compressed;
    this.#validator = text && !compressed ? new Utf8Validator() : undefined;
    this.#joined = parts ? undefined : new MessageBuffer(text && !compressed);
  }

  /** Bytes that have been received. */
  get size(): number {
    return this.#size;
  }

  /** Says how many more bytes a frame header has announced. */
  expect(size: number): void {
    this.#joined?.expect(size);
  }

  /**
   * Takes some bytes. Text is checked at once, so that its first impossible byte is refused, not its last (RFC 6455 §8.1).
   * @param lasting whether the bytes stay as they are in the source
   * @throws WebSocketError WS_ERR_INVALID_UTF8
   */
  append(source: Buffer, from: number, to: number, lasting: boolean): void {
    if (from === to) return;
    if (this.#validator !== undefined && !this.#validator.accept(source.subarray(from, to)))
      throw new WebSocketError('WS_ERR_INVALID_UTF8');
    this.#size += to - from;
    if (this.#joined !== undefined) return this.#joined.append(source, from, to);
    const bytes = source.subarray(from, to);
    // A small part must not keep a whole read buffer in memory; a large one may as well stay in it.
    this.#part = lasting && bytes.length * 2 > source.length ? bytes : Buffer.from(bytes);
  }

  /** Returns the part that has been received since the last one; undefined if there is none, or if the message is joined. */
  part(): MessagePart | undefined {
    return this.#part === undefined ? undefined : this.#takePart(false);
  }

  /**
   * Returns the message, or its last part. All its bytes have been received.
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
 * Refuses a message by what its frame headers have announced so far. Where the program sets no limit, JavaScript does: a message
 * that cannot be delivered is not received.
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
  // For a compressed message the limit is that of its decompressed size; what cannot be compressed grows by a few bytes.
  const allowed = compressed ? maxMessageSize + maxMessageSize / 1024 + 64 : maxMessageSize;
  const limit = Math.min(allowed, possible);
  if (size <= limit) return;
  const detail = compressed ? `${size} compressed bytes` : `${size} bytes are more than ${limit}`;
  throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', detail);
}
