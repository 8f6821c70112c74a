import { constants, type Http2Stream } from 'node:http2';
import type { Transport } from '../contracts';

/** Bytes of a write: what a stream may have on the way before its receiver says more (RFC 9113 §6.9.2). */
const largestWrite = 64 * 1024;

/** Ends a stream as a TCP connection is reset (RFC 8441 §5). Node's `destroy()` alone would say that nothing was wrong. */
export function resetStream(stream: Http2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
  stream.destroy();
}

/** A stream on which both sides have agreed to speak WebSocket. */
export function transportOn(stream: Http2Stream): Transport {
  return { stream, head: Buffer.alloc(0), largestWrite, reset: () => resetStream(stream) };
}
