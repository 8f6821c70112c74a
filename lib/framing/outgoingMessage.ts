import { isUtf8 } from 'node:buffer';
import { type BinaryData, isBytes, toBytes } from '../codec/bytes';
import { describeNoMessage } from '../codec/describeValue';
import type { DataFrame, Outgoing, PreparedFrames, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { checkOptions } from '../options';
import { costOf } from './cost';

export type { BinaryData };
export { toBytes };

/** The options of one message. */
export interface SendOptions {
  /**
   * Whether the message is compressed, on connections that have agreed on compression (RFC 7692). Default: it is
   * compressed if it has at least `perMessageDeflate.threshold` bytes, and if earlier messages of its type (text or
   * binary) have become smaller.
   */
  compress?: boolean;
}

/** A message whose type or compression does not follow from its data, such as a text message that is given as bytes. */
class NamedMessage implements DataFrame {
  readonly opcode: 'text' | 'binary';
  readonly payload: string | Uint8Array;
  readonly fin = true;
  readonly compress?: boolean;

  constructor(opcode: 'text' | 'binary', payload: string | Uint8Array, { compress }: SendOptions = {}) {
    this.opcode = opcode;
    this.payload = payload;
    if (compress !== undefined) this.compress = compress;
  }
}

/** The options of a PreparedMessage. */
export interface PreparedMessageOptions extends SendOptions {
  /** Whether it is a binary message. Default: false for a string, true for bytes. */
  binary?: boolean;
}

/**
 * A message for many connections. It is encoded, and compressed, once for all connections of a server that have the
 * same version and compression settings. It can be written to any number of WebSockets.
 *
 * @example
 * const update = new PreparedMessage(JSON.stringify(prices));
 * for (const ws of handle.connections) ws.write(update);
 */
export class PreparedMessage implements PreparedFrames {
  readonly opcode = 'prepared';
  /** The message as a frame. */
  readonly message: DataFrame;
  readonly #made = new Map<string, unknown>();

  /**
   * Bytes are not copied, so they must not be changed afterwards.
   * @param data a string, or bytes: a Buffer, a typed array, a DataView, an ArrayBuffer or a SharedArrayBuffer
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for other data or options, WS_ERR_INVALID_UTF8 for bytes with
   * `binary: false` that are not UTF-8
   */
  constructor(data: string | BinaryData, options: PreparedMessageOptions = {}) {
    checkOptions(options, 'binary', 'compress');
    const { binary = typeof data !== 'string' } = options;
    const payload = typeof data === 'string' ? data : toBytes(data);
    if (payload === undefined) throw invalidData(data);
    this.message = new NamedMessage(binary ? 'binary' : 'text', payload, options);
    const checked = toOutgoing(this.message);
    if (checked instanceof WebSocketError) throw checked;
  }

  /**
   * Returns the result of `make()` for this variant of connections. `make()` is called once for each variant. Used by
   * the Framer.
   */
  once<T>(variant: string, make: () => T): T {
    if (!this.#made.has(variant)) this.#made.set(variant, make());
    return this.#made.get(variant) as T;
  }
}

/**
 * Makes a text message from a string, or from bytes. Bytes are checked to be UTF-8 when they are sent.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function textMessage(data: string | BinaryData, options?: SendOptions): string | DataFrame {
  if (options !== undefined) checkOptions(options, 'compress');
  if (typeof data === 'string') return options === undefined ? data : new NamedMessage('text', data, options);
  const bytes = toBytes(data);
  if (bytes === undefined) throw invalidData(data);
  return new NamedMessage('text', bytes, options);
}

/**
 * Makes a binary message from bytes, or from the UTF-8 of a string.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function binaryMessage(data: string | BinaryData, options?: SendOptions): Uint8Array | DataFrame {
  if (options !== undefined) checkOptions(options, 'compress');
  const bytes = typeof data === 'string' ? Buffer.from(data) : toBytes(data);
  if (bytes === undefined) throw invalidData(data);
  return options === undefined ? bytes : new NamedMessage('binary', bytes, options);
}

/** Returns a written chunk as an item for the MessageWriter, or an error if the chunk is no message. */
export function toOutgoing(chunk: unknown): Outgoing | WebSocketError {
  if (typeof chunk === 'string' || isBytes(chunk) || chunk instanceof PreparedMessage) return chunk;
  if (!(chunk instanceof NamedMessage)) return toBytes(chunk) ?? invalidMessage(chunk);
  const { opcode, payload } = chunk;
  if (opcode === 'binary' || typeof payload === 'string' || isUtf8(payload)) return chunk;
  return new WebSocketError('WS_ERR_INVALID_UTF8', 'the bytes of a text message that is to be sent');
}

const binaryKinds = 'a Buffer, a typed array, a DataView, an ArrayBuffer or a SharedArrayBuffer';

/** Returns the error for a value that is neither a message nor a message source. */
export function invalidMessage(chunk: unknown): WebSocketError {
  const accepted = `a string, ${binaryKinds}, a PreparedMessage, a Readable, a web ReadableStream or an async iterable`;
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', `a message is ${accepted}, not ${describeNoMessage(chunk)}`);
}

/** Returns the error for a value that is neither a string nor bytes, where a message source is not accepted. */
export function invalidData(data: unknown): WebSocketError {
  const accepted = `a string, ${binaryKinds}`;
  return new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `the data of a message is ${accepted}, not ${describeNoMessage(data)}`,
  );
}

/** Returns the error for binary data that is written in a version of the protocol that has only text messages. */
export function noBinaryMessages(version: Version): WebSocketError {
  const remedy = "write strings; a stream of bytes gives them after setEncoding('utf8')";
  return new WebSocketError('WS_ERR_UNSUPPORTED', `${version} has no binary messages: ${remedy}`);
}

/** Returns whether a written chunk is a binary message; false also for a value that is no message. */
export function isBinary(chunk: unknown): boolean {
  if (chunk instanceof PreparedMessage) return chunk.message.opcode === 'binary';
  return chunk instanceof NamedMessage ? chunk.opcode === 'binary' : toBytes(chunk) !== undefined;
}

/** Returns the payload bytes of a written chunk; 0 for a value that is no message. */
export function messageSize(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  if (chunk instanceof NamedMessage) return messageSize(chunk.payload);
  if (chunk instanceof PreparedMessage) return messageSize(chunk.message);
  return toBytes(chunk)?.length ?? 0;
}

/** Returns the bytes of memory that a written chunk keeps alive while it waits. */
export function costOfOutgoing(chunk: unknown): number {
  if (chunk instanceof NamedMessage) return costOf(chunk.payload);
  return costOf(chunk instanceof PreparedMessage ? chunk.message.payload : chunk);
}
