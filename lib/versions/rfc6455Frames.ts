import { decodeCloseBody } from '../codec/controlFrames';
import type { Role } from '../contracts';
import { type FrameLayout, kindsByOpcode, MASKED } from './frameLayout';

/** The frame layout of RFC 6455 §5.2. */

export const opcodes = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

export const FIN = 0x80;
/** The first reserved bit: the message is compressed (RFC 7692 §6). */
export const RSV1 = 0x40;

/** The largest header: two bytes, eight bytes of extended length, and a masking key of four bytes. */
export const maxHeaderSize = 14;

/** The layouts for reading, by role: a server requires masked frames and a client unmasked ones (RFC 6455 §5.1). */
export const layouts: Readonly<Record<Role, FrameLayout>> = {
  server: layout(MASKED, 'WS_ERR_MASK_REQUIRED'),
  client: layout(0, 'WS_ERR_MASK_FORBIDDEN'),
};

function layout(maskBit: number, wrongMaskBit: FrameLayout['wrongMaskBit']): FrameLayout {
  return {
    kindOf: kindsByOpcode(opcodes),
    lastFrame: FIN,
    compressedBit: RSV1,
    maskBit,
    wrongMaskBit,
    shortestLength: true,
    decodeClose: decodeCloseBody,
  };
}
