import { isUtf8 } from 'node:buffer';
import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { WebSocketError } from '../errors';
import { type BinaryData, describe, toBytes } from './bytes';

/** The most that a control frame may carry, in bytes (RFC 6455 §5.5). */
export const maxControlPayload = 125;

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkControlPayload(payload: Uint8Array): void {
  if (payload.length <= maxControlPayload) return;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `a ping or pong takes at most ${maxControlPayload} bytes, not ${payload.length}`,
  );
}

/**
 * What a program wants to send with a ping or a pong, as bytes.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function controlPayload(data: string | BinaryData): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data) : toBytes(data);
  if (bytes === undefined) {
    const detail = `a ping or pong takes a string, a Buffer, a typed array, a DataView or an ArrayBuffer, not ${describe(data)}`;
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
  }
  checkControlPayload(bytes);
  // A copy: the program may change its own bytes before they are sent.
  return Buffer.from(bytes);
}

/**
 * What a program may close with.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkClose(code: number, reason: string): void {
  if (!isSendableCloseCode(code)) {
    const codes = '1000 to 1014 but 1004 to 1006, or 3000 to 4999';
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `a close code is ${codes}, not ${code}`);
  }
  // Other objects have a length too, and would claim it for bytes that were never written.
  if (typeof reason !== 'string' || Buffer.byteLength(reason) > maxControlPayload - 2) {
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `a close reason is text of at most ${maxControlPayload - 2} bytes, not ${typeof reason === 'string' ? Buffer.byteLength(reason) : describe(reason)}`,
    );
  }
}

/**
 * The body of a Close frame (RFC 6455 §5.5.1): a code and a reason, or nothing for code 1005.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function encodeCloseBody({ code, reason }: Omit<CloseFrame, 'opcode'>): Buffer {
  if (code === closeCodes.noStatus) return Buffer.alloc(0);
  checkClose(code, reason);
  const body = Buffer.alloc(2 + Buffer.byteLength(reason));
  body.writeUInt16BE(code, 0);
  body.write(reason, 2);
  return body;
}

/** Reads what `encodeCloseBody()` writes. Throws if a peer may not send it. */
export function decodeCloseBody(body: Buffer): CloseFrame {
  if (body.length === 0) return { opcode: 'close', code: closeCodes.noStatus, reason: '' };
  if (body.length === 1) throw new WebSocketError('WS_ERR_INVALID_CLOSE', 'half a close code');
  const code = body.readUInt16BE(0);
  if (!isSendableCloseCode(code)) throw new WebSocketError('WS_ERR_INVALID_CLOSE', `close code ${code}`);
  if (!isUtf8(body.subarray(2))) throw new WebSocketError('WS_ERR_INVALID_UTF8', 'in a close reason');
  return { opcode: 'close', code, reason: body.toString('utf8', 2) };
}
