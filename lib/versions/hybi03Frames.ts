import { type FrameLayout, kindsByOpcode } from './frameLayout';

/** The frame layout of hybi-01 to -03 (hybi-03 §4.2). Nothing is masked, in either direction. */

export const opcodes = { continuation: 0, close: 1, ping: 2, pong: 3, text: 4, binary: 5 } as const;

/** The topmost bit: more frames of the message follow. In RFC 6455 it marks the last frame. */
export const MORE = 0x80;

/**
 * The body of our own Close frames. There are no close codes, and the body distinguishes the answer to our Close frame
 * from a Close frame of the peer.
 */
export const ownCloseBody = Buffer.from('node-websocket-handler');

export const layout: FrameLayout = {
  kindOf: kindsByOpcode(opcodes),
  lastFrame: 0,
  compressedBit: 0,
  maskBit: 0,
  wrongMaskBit: 'WS_ERR_RESERVED_BITS',
  shortestLength: false,
  decodeClose: (body) => ({ opcode: 'close', code: 1005, reason: '', ...(!body.equals(ownCloseBody) && { body }) }),
};
