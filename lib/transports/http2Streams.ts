import { constants, type Http2Stream } from 'node:http2';
import type { Transport } from '../contracts';
import { sessionKeepalive } from './sessionKeepalive';

/** Bytes of a write: what a stream may have on the way before its receiver says more (RFC 9113 §6.9.2). */
const largestWrite = 64 * 1024;

/**
 * Ends a stream as a TCP connection is reset (RFC 8441 §5). Node's `destroy()` alone would say that nothing was wrong. And it must not be
 * called while Node works on the session, in a listener for 'data' say: an assertion would end the process if Node then asked the stream for
 * the rest of its bytes.
 */
export function resetStream(stream: Http2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
  setImmediate(() => stream.destroy());
}

/** A stream on which both sides have agreed to speak WebSocket. */
export function transportOn(stream: Http2Stream): Transport {
  const { session } = stream;
  return {
    stream,
    head: Buffer.alloc(0),
    largestWrite,
    reset: () => resetStream(stream),
    sessionKeepalive: session === undefined ? undefined : sessionKeepalive(session),
  };
}
