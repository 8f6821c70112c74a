import { isUtf8 } from 'node:buffer';
import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { describeValue } from '../describeValue';
import { WebSocketError } from '../errors';

/** The most that a control frame may carry, in bytes (RFC 6455 §5.5). */
export const maxControlPayload = 125;

/** What the two bytes of the close code leave for a reason (RFC 6455 §5.5.1). */
const maxReasonSize = maxControlPayload - 2;

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkControlPayload(payload: Uint8Array): void {
  if (payload.length <= maxControlPayload) return;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `a ping or pong takes at most ${maxControlPayload} bytes`);
}

/**
 * What a program wants to send with a ping or a pong, as bytes.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function controlPayload(data: string | Uint8Array): Buffer {
  const payload = Buffer.from(data as Uint8Array);
  checkControlPayload(payload);
  return payload;
}

/**
 * What a program may close with.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkClose(code: number, reason: string): void {
  if (!isSendableCloseCode(code)) {
    const accepted = 'a number: 1000 to 1003, 1007 to 1014, or 3000 to 4999';
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `close code must be ${accepted}, not ${describeValue(code)}`);
  }
  // Buffer.byteLength() takes ArrayBuffers and views too; a reason is text (RFC 6455 §5.5.1).
  const size = typeof reason === 'string' ? Buffer.byteLength(reason) : undefined;
  if (size !== undefined && size <= maxReasonSize) return;
  const accepted = `a string of at most ${maxReasonSize} bytes in UTF-8`;
  const given = size === undefined ? describeValue(reason) : `one of ${size}`;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `close reason must be ${accepted}, not ${given}`);
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
