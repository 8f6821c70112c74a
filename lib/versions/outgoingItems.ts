import { isBytes } from '../codec/bytes';
import { checkControlPayload } from '../codec/controlFrames';
import { describeNoMessage } from '../codec/describeValue';
import type { DataFrame, PingFrame } from '../contracts';
import { WebSocketError } from '../errors';

/** Returns the error for an item that no version has a frame for. */
export function invalidItem(item: unknown): WebSocketError {
  const opcode: unknown = item !== null && typeof item === 'object' && 'opcode' in item ? item.opcode : undefined;
  const given = typeof opcode === 'string' ? `an object with the opcode '${opcode}'` : describeNoMessage(item);
  return new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `a Framer takes a string, a Uint8Array, or an object with an opcode and a payload, not ${given}`,
  );
}

/**
 * Returns the payload of a data frame that a program has made.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function dataPayload({ opcode, payload }: DataFrame): string | Uint8Array {
  if (typeof payload === 'string' || isBytes(payload)) return payload;
  const detail = `the payload of a ${opcode} frame is a string or a Uint8Array, not ${describeNoMessage(payload)}`;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
}

/**
 * Returns the payload of a ping or pong that a program has made.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function pingPayload({ opcode, payload }: PingFrame): Uint8Array {
  if (!isBytes(payload)) {
    const detail = `the payload of a ${opcode} frame is a Uint8Array, not ${describeNoMessage(payload)}`;
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
  }
  checkControlPayload(payload);
  return payload;
}
