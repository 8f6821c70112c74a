import { types } from 'node:util';

/**
 * What can be sent as a binary message, or as text if it is UTF-8. The objects may be of another realm: programs in `node:vm`, and
 * tests under Jest or jsdom, have an `ArrayBuffer` and a `Uint8Array` of their own, of which `instanceof` knows nothing.
 */
export type BinaryData = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** Whether it is a Uint8Array, such as a Buffer, of any realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || types.isUint8Array(value);
}

/** Returns the bytes of what can be sent as a binary message, by reference; undefined for anything else. */
export function toBytes(data: unknown): Uint8Array | undefined {
  if (isBytes(data)) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return types.isAnyArrayBuffer(data) ? new Uint8Array(data) : undefined;
}
