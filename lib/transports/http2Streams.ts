import { constants, type Http2Stream } from 'node:http2';
import { setImmediate } from 'node:timers';
import type { Transport } from '../contracts';
import { sessionKeepalive } from './sessionKeepalive';

/** Most bytes of one write: the default flow-control window of a stream (RFC 9113 §6.9.2). */
const largestWrite = 64 * 1024;

/**
 * Resets a stream, by default with CANCEL, the counterpart of a TCP reset (RFC 8441 §5). Node's `destroy()` alone sends
 * NO_ERROR. It must not be called while Node processes the session, for example in a 'data' listener: if Node then asks
 * the stream for the rest of its bytes, an assertion ends the process.
 */
export function resetStream(stream: Http2Stream, code: number = constants.NGHTTP2_CANCEL): void {
  stream.close(code);
  setImmediate(() => stream.destroy());
}

/** Returns the transport for a stream on which both sides have agreed to speak WebSocket. */
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
