import { constants, deflateRawSync } from 'node:zlib';
import type { Work } from '../work';
import { createRequest } from './frames';

/** What is sent, one after the other and then from the beginning, and what must come back. */
export interface Messages {
  readonly requests: readonly Buffer[];
  readonly answers: readonly Buffer[];
}

export const flushTail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

export function createMessages(work: Work): Messages {
  const payloads = work.content === 'json' ? createDocuments(work.size) : [createPayload(work)];
  const requests = payloads.map((payload) =>
    createRequest(work.deflate ? compressAlone(payload) : payload, { kind: work.kind, compressed: work.deflate }),
  );
  return {
    requests,
    answers: payloads.map((payload) => (work.content === 'line' ? payload.subarray(0, -1) : payload)),
  };
}

function createPayload({ content, size }: Work): Buffer {
  if (content === 'otherScripts') return fill(size, 'Ελληνικά, русский, 日本語, العربية; ');
  const payload = Buffer.alloc(size, 'a WebSocket message of some length; ');
  if (content === 'line') payload[size - 1] = '\n'.charCodeAt(0);
  return payload;
}

/** Text of exactly so many bytes, without half a character at the end. */
function fill(size: number, text: string): Buffer {
  const piece = Buffer.from(text);
  const whole = Buffer.concat(Array.from({ length: Math.floor(size / piece.length) }, () => piece));
  return Buffer.concat([whole, Buffer.alloc(size - whole.length, '.')]);
}

function createDocuments(size: number): Buffer[] {
  return Array.from({ length: 64 }, (_, seed) => createDocument(size, seed));
}

/** A document of about this size, as an application sends one after the other: the same names, other values. */
function createDocument(size: number, seed: number): Buffer {
  const items: object[] = [];
  const document = () => JSON.stringify({ type: 'prices', sequence: 100_000 + seed, items });
  for (let i = 0; document().length < size; i++) {
    const random = ((seed * 7919 + i * 104_729) ^ (seed << 7)) % 1_000_003;
    items.push({
      id: `item-${random % 997}`,
      price: (random % 99_991) / 100,
      quantity: random % 37,
      open: random % 2 === 0,
    });
  }
  return Buffer.from(document());
}

/** Refers to no other message, so that it can be sent on any connection at any time. */
function compressAlone(message: Buffer): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -flushTail.length);
}
