import { isUtf8 } from 'node:buffer';
import type { DataFrame, Outgoing } from '../contracts';
import { WebSocketError } from '../errors';

/** What can be sent as a binary message, and as a text message if it is UTF-8. */
export type BinaryData = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** A message whose kind its type does not tell: text that the program has as bytes. */
class TextBytes implements DataFrame {
  readonly opcode = 'text';
  readonly fin = true;
  constructor(readonly payload: Uint8Array) {}
}

/** A text message from a string, or from bytes that hold UTF-8, which is checked when they are sent. */
export function textMessage(data: string | BinaryData): string | DataFrame {
  if (typeof data === 'string') return data;
  const bytes = toBytes(data);
  if (bytes === undefined) throw invalidMessage(data);
  return new TextBytes(bytes);
}

/** A binary message from bytes, or from the UTF-8 of a string. */
export function binaryMessage(data: string | BinaryData): Uint8Array {
  const bytes = typeof data === 'string' ? Buffer.from(data) : toBytes(data);
  if (bytes === undefined) throw invalidMessage(data);
  return bytes;
}

/** What goes into the Framer for a chunk that was written, or why nothing does. */
export function toOutgoing(chunk: unknown): Outgoing | WebSocketError {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return chunk;
  if (!(chunk instanceof TextBytes)) return toBytes(chunk) ?? invalidMessage(chunk);
  return isUtf8(chunk.payload) ? chunk : new WebSocketError('WS_ERR_INVALID_UTF8', 'in bytes to be sent as text');
}

function invalidMessage(chunk: unknown): WebSocketError {
  const type = chunk === null ? 'null' : typeof chunk;
  return new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `a message is a string, a Buffer, a typed array, a DataView or an ArrayBuffer, not ${type}`,
  );
}

/** How many bytes a message holds, for accounting: those of its payload. */
export function messageSize(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  if (chunk instanceof TextBytes) return chunk.payload.length;
  return toBytes(chunk)?.length ?? 0;
}

function toBytes(data: unknown): Uint8Array | undefined {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  return undefined;
}
