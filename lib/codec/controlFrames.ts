import { isUtf8 } from 'node:buffer';
import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { WebSocketError } from '../errors';
import { type BinaryData, toBytes } from './bytes';
import { describeNoMessage, describeValue } from './describeValue';

/** The most payload bytes of a control frame (RFC 6455 §5.5). */
export const maxControlPayload = 125;

/** The most bytes of a close reason: the payload without the two bytes of the close code (RFC 6455 §5.5.1). */
const maxReasonSize = maxControlPayload - 2;

/**
 * Checks the size of a payload that the program wants to send in a control frame.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkControlPayload(payload: Uint8Array): void {
  if (payload.length <= maxControlPayload) return;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `a ping or pong takes at most ${maxControlPayload} bytes, not ${payload.length}`,
  );
}

/**
 * Returns the data of a ping or pong of the program as bytes.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function controlPayload(data: string | BinaryData): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data) : toBytes(data);
  if (bytes === undefined) {
    const accepted = 'a string, a Buffer, a typed array, a DataView or an ArrayBuffer';
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `a ping or pong takes ${accepted}, not ${describeNoMessage(data)}`,
    );
  }
  checkControlPayload(bytes);
  // The bytes are copied, because the program may change them before they are sent.
  return Buffer.from(bytes);
}

/**
 * Checks the code and the reason that the program wants to close with (RFC 6455 §7.4).
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkClose(code: number, reason: string): void {
  if (!isSendableCloseCode(code)) {
    const accepted = 'a number: 1000 to 1003, 1007 to 1014, or 3000 to 4999';
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `close code must be ${accepted}, not ${describeValue(code)}`);
  }
  // The type is checked first, because Buffer.byteLength() also accepts ArrayBuffers and views. A reason is text
  // (RFC 6455 §5.5.1).
  const size = typeof reason === 'string' ? Buffer.byteLength(reason) : undefined;
  if (size !== undefined && size <= maxReasonSize) return;
  const accepted = `a string of at most ${maxReasonSize} bytes`;
  const given = size === undefined ? describeValue(reason) : `${size} bytes`;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `close reason must be ${accepted}, not ${given}`);
}

/**
 * Returns the body of a Close frame (RFC 6455 §5.5.1): a code and a reason, or nothing for code 1005.
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

/**
 * Reads the body of a Close frame (RFC 6455 §5.5.1).
 * @throws WebSocketError WS_ERR_INVALID_CLOSE, WS_ERR_INVALID_UTF8
 */
export function decodeCloseBody(body: Buffer): CloseFrame {
  if (body.length === 0) return { opcode: 'close', code: closeCodes.noStatus, reason: '' };
  if (body.length === 1) throw new WebSocketError('WS_ERR_INVALID_CLOSE', 'a body of one byte is half a close code');
  const code = body.readUInt16BE(0);
  if (!isSendableCloseCode(code)) throw new WebSocketError('WS_ERR_INVALID_CLOSE', `close code ${code}`);
  if (!isUtf8(body.subarray(2))) throw new WebSocketError('WS_ERR_INVALID_UTF8', 'the close reason');
  return { opcode: 'close', code, reason: body.toString('utf8', 2) };
}
