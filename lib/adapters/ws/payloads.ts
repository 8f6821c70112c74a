import { Blob } from 'node:buffer';
import { toBytes } from '../../codec/bytes';
import { describeValue } from '../../codec/describeValue';
import { WebSocketError } from '../../webSocketHandler';
import type { RawData } from './events';

/** The type of binary messages: a Buffer, an ArrayBuffer, an array of Buffers (here always one), or a Blob. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'fragments' | 'blob';

const conversions: Readonly<Record<BinaryType, (message: Buffer) => RawData>> = {
  nodebuffer: (message) => message,
  arraybuffer: ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
  fragments: (message) => [message],
  blob: (message) => new Blob([message]),
};

export function isBinaryType(type: string): type is BinaryType {
  return Object.hasOwn(conversions, type);
}

export function toBinaryType(message: Buffer, type: BinaryType): RawData {
  return conversions[type](message);
}

/**
 * Returns the data of a ping or pong.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function toPayload(data: unknown): string | Uint8Array {
  if (typeof data === 'number' || typeof data === 'string') return String(data);
  const bytes = toBytes(data);
  if (bytes !== undefined) return bytes;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `the data of a ping or pong is a string or bytes, not ${describeValue(data)}`,
  );
}
