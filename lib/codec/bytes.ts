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

/** What can be done with a value that is no message. */
const remedies: Readonly<Record<string, string>> = {
  'an array': 'JSON.stringify it',
  'a plain object': 'JSON.stringify it',
  'a Promise': 'await it',
  'a Blob': 'write its stream(), or await its arrayBuffer()',
  'a Readable': 'pass it to write()',
  'a ReadableStream': 'pass it to write()',
  'a PreparedMessage': 'pass it to write()',
};

/** Names a value for an error message, with what to do about it: `a plain object: JSON.stringify it`. */
export function describe(value: unknown): string {
  const kind = kindOf(value);
  const remedy = remedies[kind];
  return remedy === undefined ? kind : `${kind}: ${remedy}`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return `a ${typeof value} (${value})`;
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  if (types.isPromise(value)) return 'a Promise';
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of a plain object of any realm has no prototype itself.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return 'a plain object';
  const { name } = value.constructor ?? {};
  if (typeof name !== 'string' || name === '') return 'an object';
  return /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`;
}
