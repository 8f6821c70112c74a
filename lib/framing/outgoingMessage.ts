import { isUtf8 } from 'node:buffer';
import { type BinaryData, describe, isBytes, toBytes } from '../codec/bytes';
import type { DataFrame, Outgoing, PreparedFrames } from '../contracts';
import { WebSocketError } from '../errors';
import { costOf } from './cost';

export type { BinaryData };
export { toBytes };

/** How one message is sent. */
export interface SendOptions {
  /** Whether to compress it, where that was agreed on. Default: if it is large enough. */
  compress?: boolean;
}

/** A message of which more is to be said than its type tells: text that the program has as bytes, or its compression. */
class NamedMessage implements DataFrame {
  readonly fin = true;
  readonly compress?: boolean;

  constructor(
    readonly opcode: 'text' | 'binary',
    readonly payload: string | Uint8Array,
    { compress }: SendOptions,
  ) {
    if (compress === undefined) return;
    if (typeof compress !== 'boolean')
      throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'the option compress takes a boolean');
    this.compress = compress;
  }
}

export interface PreparedMessageOptions extends SendOptions {
  /** Whether it is a binary message. Default: not for a string, and yes for bytes. */
  binary?: boolean;
}

/**
 * A message for many connections: it is encoded, and compressed, once for all of a server's connections that have agreed on the
 * same. It may be written to any number of WebSockets.
 */
export class PreparedMessage implements PreparedFrames {
  readonly opcode = 'prepared';
  /** What is sent. */
  readonly message: DataFrame;
  readonly #made = new Map<string, unknown>();

  /**
   * The data must not be changed afterwards.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_INVALID_UTF8
   */
  constructor(data: string | BinaryData, options: PreparedMessageOptions = {}) {
    const { binary = typeof data !== 'string' } = options;
    const payload = typeof data === 'string' ? data : toBytes(data);
    if (payload === undefined) throw invalidData(data);
    this.message = new NamedMessage(binary ? 'binary' : 'text', payload, options);
    const checked = toOutgoing(this.message);
    if (checked instanceof WebSocketError) throw checked;
  }

  /** For Framers: what was made for connections of this kind before, or is made now. */
  once<T>(variant: string, make: () => T): T {
    if (!this.#made.has(variant)) this.#made.set(variant, make());
    return this.#made.get(variant) as T;
  }
}

/** A text message from a string, or from bytes that hold UTF-8, which is checked when they are sent. */
export function textMessage(data: string | BinaryData, options?: SendOptions): string | DataFrame {
  if (typeof data === 'string') return options === undefined ? data : new NamedMessage('text', data, options);
  const bytes = toBytes(data);
  if (bytes === undefined) throw invalidData(data);
  return new NamedMessage('text', bytes, options ?? {});
}

/** A binary message from bytes, or from the UTF-8 of a string. */
export function binaryMessage(data: string | BinaryData, options?: SendOptions): Uint8Array | DataFrame {
  const bytes = typeof data === 'string' ? Buffer.from(data) : toBytes(data);
  if (bytes === undefined) throw invalidData(data);
  return options === undefined ? bytes : new NamedMessage('binary', bytes, options);
}

/** What goes into the Framer for a chunk that was written, or why nothing does. */
export function toOutgoing(chunk: unknown): Outgoing | WebSocketError {
  if (typeof chunk === 'string' || isBytes(chunk) || chunk instanceof PreparedMessage) return chunk;
  if (!(chunk instanceof NamedMessage)) return toBytes(chunk) ?? invalidMessage(chunk);
  const { opcode, payload } = chunk;
  if (opcode === 'binary' || typeof payload === 'string' || isUtf8(payload)) return chunk;
  return new WebSocketError('WS_ERR_INVALID_UTF8', 'in bytes to be sent as text');
}

const binaryKinds = 'a Buffer, a typed array, a DataView, an ArrayBuffer or a SharedArrayBuffer';

/** The error for a value that is no message and no source of one. */
function invalidMessage(chunk: unknown): WebSocketError {
  const accepted = `a string, ${binaryKinds}, a PreparedMessage, a Readable, a web ReadableStream or an async iterable`;
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', `a message is ${accepted}, not ${describe(chunk)}`);
}

/** The error for a value that has to be in memory as a whole, and is not. */
function invalidData(data: unknown): WebSocketError {
  const accepted = `a string, ${binaryKinds}`;
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', `the data of a message is ${accepted}, not ${describe(data)}`);
}

/** Is this a binary message? What is no message at all is for `toOutgoing()` to say. */
export function isBinary(chunk: unknown): boolean {
  if (chunk instanceof PreparedMessage) return chunk.message.opcode === 'binary';
  return chunk instanceof NamedMessage ? chunk.opcode === 'binary' : toBytes(chunk) !== undefined;
}

/** How many bytes a message holds, for accounting: those of its payload. */
export function messageSize(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  if (chunk instanceof NamedMessage) return messageSize(chunk.payload);
  if (chunk instanceof PreparedMessage) return messageSize(chunk.message);
  return toBytes(chunk)?.length ?? 0;
}

/** How much memory a message keeps alive while it waits. */
export function costOfOutgoing(chunk: unknown): number {
  if (chunk instanceof NamedMessage) return costOf(chunk.payload);
  return costOf(chunk instanceof PreparedMessage ? chunk.message.payload : chunk);
}
