import { constants } from 'node:buffer';
import { MessageBuffer } from '../codec/messageBuffer';
import { Utf8Validator } from '../codec/utf8';
import type { CompressedMessage, DecoderOptions, Message, MessagePart } from '../contracts';
import { WebSocketError } from '../errors';

/** A message whose end has not come yet: a fragment of it has ended, or its frame goes on in a chunk to come. */
export abstract class PartialMessage {
  readonly text: boolean;
  readonly compressed: boolean;
  /** Checks text while it comes; what is compressed can be checked only later. */
  readonly #validator: Utf8Validator | undefined;
  #size = 0;

  constructor(text: boolean, compressed: boolean) {
    this.text = text;
    this.compressed = compressed;
    this.#validator = text && !compressed ? new Utf8Validator() : undefined;
  }

  /** Bytes that have come. */
  get size(): number {
    return this.#size;
  }

  /**
   * Takes some bytes. They are checked at once, so that the first impossible byte ends a text (RFC 6455 §8.1), not its last.
   * @param lasting whether the source keeps its bytes after that
   * @throws WebSocketError WS_ERR_INVALID_UTF8
   */
  append(source: Buffer, from: number, to: number, lasting: boolean): void {
    if (from === to) return;
    if (this.#validator !== undefined && !this.#validator.accept(source.subarray(from, to)))
      throw new WebSocketError('WS_ERR_INVALID_UTF8');
    this.#size += to - from;
    this.keep(source, from, to, lasting);
  }

  /**
   * The last byte has been taken; what has not been handed over is.
   * @throws WebSocketError WS_ERR_INVALID_UTF8
   */
  end(): Message | CompressedMessage | MessagePart {
    if (this.#validator !== undefined && !this.#validator.complete)
      throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the last code point is cut off');
    return this.finish();
  }

  /** Says how many more bytes a frame header has announced. */
  abstract expect(size: number): void;

  /** What is to be handed over before the end. */
  abstract part(): MessagePart | undefined;

  protected abstract keep(source: Buffer, from: number, to: number, lasting: boolean): void;

  protected abstract finish(): Message | CompressedMessage | MessagePart;
}

/** A message that is handed over as a whole. */
class JoinedMessage extends PartialMessage {
  readonly #bytes = new MessageBuffer(this.text && !this.compressed);

  override expect(size: number): void {
    this.#bytes.expect(size);
  }

  override part(): undefined {}

  protected override keep(source: Buffer, from: number, to: number): void {
    this.#bytes.append(source, from, to);
  }

  protected override finish(): Message | CompressedMessage {
    if (this.compressed)
      return { opcode: this.text ? 'text' : 'binary', compressed: true, payload: this.#bytes.toBuffer() };
    return this.text ? this.#bytes.toText() : this.#bytes.toBuffer();
  }
}

/** A message that is handed over as it comes. */
class StreamedMessage extends PartialMessage {
  #first = true;
  #bytes: Buffer | undefined;

  override expect(): void {}

  override part(): MessagePart | undefined {
    return this.#bytes === undefined ? undefined : this.#take(false);
  }

  protected override keep(source: Buffer, from: number, to: number, lasting: boolean): void {
    const bytes = source.subarray(from, to);
    // A small part must not keep all of a read buffer alive; a large one may as well stay where it is.
    this.#bytes = lasting && bytes.length * 2 > source.length ? bytes : Buffer.from(bytes);
  }

  protected override finish(): MessagePart {
    return this.#take(true);
  }

  #take(last: boolean): MessagePart {
    const { text, compressed } = this;
    const payload = this.#bytes ?? Buffer.alloc(0);
    const part: MessagePart = { opcode: 'part', text, compressed, first: this.#first, last, payload };
    this.#first = false;
    this.#bytes = undefined;
    return part;
  }
}

/** @param parts whether it is to be handed over as it comes */
export function startMessage(text: boolean, compressed: boolean, parts: boolean): PartialMessage {
  return parts ? new StreamedMessage(text, compressed) : new JoinedMessage(text, compressed);
}

/**
 * Refuses a message by what its frame headers have announced so far. Where the program sets no limit, JavaScript does: a message
 * that could not be delivered is not received.
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
  // For what is compressed the limit is of what will come out of it; what cannot be compressed grows by a few bytes.
  const allowed = compressed ? maxMessageSize + maxMessageSize / 1024 + 64 : maxMessageSize;
  const limit = Math.min(allowed, possible);
  if (size <= limit) return;
  const detail = compressed ? `${size} compressed bytes` : `${size} bytes are more than ${limit}`;
  throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', detail);
}
