/** The frame layout of RFC 6455 §5.2, for both directions. */

export const opcodes = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

export const FIN = 0x80;
export const RESERVED_BITS = 0x70;
/** The first reserved bit: the message is compressed (RFC 7692 §6). */
export const RSV1 = 0x40;
export const OPCODE = 0x0f;
export const MASKED = 0x80;
export const LENGTH = 0x7f;

/** Length values that say: the length is in the next 2, or 8, bytes. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;

/** Two bytes, an extended length of up to eight, a masking key of four. */
export const maxHeaderSize = 14;

export function isControl(opcode: number): boolean {
  return opcode >= opcodes.close;
}
