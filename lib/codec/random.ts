import { randomFillSync } from 'node:crypto';

/** Random bytes for later keys. A call of randomFillSync() takes 2 µs for four bytes, and the same for all of them. */
const pool = Buffer.allocUnsafeSlow(4096);
let position = pool.length;

/** Makes a new unpredictable masking key (RFC 6455 §5.3), as a 32-bit integer. */
export function createMaskingKey(): number {
  return takeRandom(4, readKey);
}

/** Makes a client's `Sec-WebSocket-Key`: 16 random bytes in base64 (RFC 6455 §4.1). */
export function createWebSocketKey(): string {
  return takeRandom(16, readBase64);
}

function takeRandom<T>(size: number, read: (from: number, to: number) => T): T {
  if (position + size > pool.length) {
    randomFillSync(pool);
    position = 0;
  }
  const from = position;
  position += size;
  const taken = read(from, position);
  // A used key must not stay in memory.
  for (let i = from; i < position; i++) pool[i] = 0;
  return taken;
}

function readKey(from: number): number {
  return pool.readInt32LE(from);
}

function readBase64(from: number, to: number): string {
  return pool.toString('base64', from, to);
}
