import type { CloseFrame } from '../contracts';
import { WebSocketError, type WebSocketErrorCode } from '../errors';

/**
 * The parts of a frame header that RFC 6455 §5.2 and the drafts since hybi-01 have in common: two bytes, an extended
 * length of up to eight, and a masking key of four. A FrameLayout defines what the bits mean in one version and one
 * direction.
 */
export const RESERVED_BITS = 0x70;
export const OPCODE = 0x0f;
export const MASKED = 0x80;
export const LENGTH = 0x7f;

/** The values of the length field for a length in the next 2, or 8, bytes. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;

/** The kinds of frames, independent of the opcodes of a version. The control frames are those from `close` on. */
export const kinds = { continuation: 0, text: 1, binary: 2, close: 3, ping: 4, pong: 5 } as const;

export type FrameKind = keyof typeof kinds;

/** The kind of an opcode that the version does not define. */
export const reservedKind = 6;

/**
 * The meaning of the header bits in one version and one direction. It is data and not functions, so that the decoder
 * makes no calls for it.
 */
export interface FrameLayout {
  /** The kind of each of the 16 opcodes. */
  readonly kindOf: readonly number[];
  /** The value of the topmost bit in the last frame of a message: 0x80 in RFC 6455, 0 in hybi-03. */
  readonly lastFrame: number;
  /** The bit of a compressed message (RFC 7692 §6); 0 if the version has none. */
  readonly compressedBit: number;
  /** The value that the mask bit must have. */
  readonly maskBit: number;
  readonly wrongMaskBit: WebSocketErrorCode;
  /** Whether a length must be in its shortest form (RFC 6455 §5.2). */
  readonly shortestLength: boolean;
  decodeClose(body: Buffer): CloseFrame;
}

/**
 * Returns the kind of each of the 16 opcodes.
 * @param opcodes the opcode of each kind of frame
 */
export function kindsByOpcode(opcodes: Readonly<Record<FrameKind, number>>): readonly number[] {
  const byOpcode: number[] = new Array(16).fill(reservedKind);
  for (const [kind, opcode] of Object.entries(opcodes)) byOpcode[opcode] = kinds[kind as FrameKind];
  return byOpcode;
}

/**
 * @throws WebSocketError WS_ERR_INVALID_LENGTH if the version allows only the shortest form of a length (RFC 6455 §5.2)
 */
export function refuseLongForm({ shortestLength }: FrameLayout): void {
  if (shortestLength) throw new WebSocketError('WS_ERR_INVALID_LENGTH', 'not the shortest form');
}

/** @throws WebSocketError WS_ERR_INVALID_LENGTH if the top bit is set, which RFC 6455 §5.2 forbids */
export function readLength64(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32BE(at);
  if (high >= 0x80000000) throw new WebSocketError('WS_ERR_INVALID_LENGTH', 'the top bit of a 64-bit length is set');
  // From 2^53 on the sum is not exact, but still larger than any limit.
  return high * 0x100000000 + bytes.readUInt32BE(at + 4);
}
