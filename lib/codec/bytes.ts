import { types } from 'node:util';

/**
 * The types of data that can be sent as a binary message, or as a text message if it is UTF-8. The objects may belong
 * to another realm: programs in `node:vm`, and tests under Jest or jsdom, have their own `ArrayBuffer` and
 * `Uint8Array`, for which `instanceof` is false.
 */
export type BinaryData = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** Returns whether a value is a Uint8Array, such as a Buffer, of any realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value);
}

/** Returns binary data as a Uint8Array, by reference; undefined for any other value. */
export function toBytes(data: unknown): Uint8Array | undefined {
  if (isBytes(data)) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return types.isAnyArrayBuffer(data) ? new Uint8Array(data) : undefined;
}
