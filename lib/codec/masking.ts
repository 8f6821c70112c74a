import { createMaskingKernel } from './maskingKernel';

/** Bytes that can be masked at once: the most that a socket delivers in one read. */
export const maskingWindow = 64 * 1024;

/**
 * Payloads with fewer bytes are masked by a plain loop: a call of the kernel costs more (for 20 bytes 0.08 µs against
 * 0.02).
 */
const shortPayload = 48;

const kernel = createMaskingKernel(maskingWindow + 4);

/**
 * The memory in which payloads are masked and unmasked. All connections share it, so its content is valid only until
 * the next call. The source is copied into it and not changed, because it may be a payload of the program, or a chunk
 * that other code reads as well.
 */
export const maskingScratch = Buffer.from(kernel.memory);

/**
 * Copies `source[from, to)` into the scratch, XORed with the masking key (RFC 6455 §5.3), and returns where it starts
 * there.
 * @param key the four bytes of the masking key, read as a little-endian integer
 * @param phase the number of bytes of the same payload that were masked before
 */
export function maskIntoScratch(source: Uint8Array, from: number, to: number, key: number, phase: number): number {
  // The kernel applies the first byte of the key at 0, so a payload that continues in the middle of the key is placed 1
  // to 3 bytes later.
  const start = phase & 3;
  const length = to - from;
  if (length < shortPayload) {
    for (let i = 0; i < length; i++) {
      maskingScratch[start + i] = (source[from + i] as number) ^ (key >>> (((start + i) & 3) << 3));
    }
    return start;
  }
  maskingScratch.set(source.subarray(from, to), start);
  kernel.mask(start + length, key);
  return start;
}

/**
 * Returns a copy of `source[from, to)`, XORed with the masking key. It must have no more bytes than the masking window.
 */
export function maskedCopy(source: Uint8Array, from: number, to: number, key: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  if (copy.length < shortPayload) {
    for (let i = 0; i < copy.length; i++) copy[i] = (source[from + i] as number) ^ (key >>> ((i & 3) << 3));
    return copy;
  }
  const start = maskIntoScratch(source, from, to, key, 0);
  maskingScratch.copy(copy, 0, start, start + copy.length);
  return copy;
}

/** Masks `target[from, to)` in place. */
export function maskInPlace(target: Buffer, from: number, to: number, key: number): void {
  for (let at = from; at < to; at += maskingWindow) {
    const end = Math.min(to, at + maskingWindow);
    const start = maskIntoScratch(target, at, end, key, at - from);
    maskingScratch.copy(target, at, start, start + end - at);
  }
}
