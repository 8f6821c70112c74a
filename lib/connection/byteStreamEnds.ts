import type { Transport } from '../contracts';

/** Milliseconds that we go on reading after our last byte has left. */
export const lingerTime = 1000;

type Ends = Pick<Transport, 'stream' | 'reset'>;

/** Drops a byte stream, so that the peer sees that it was cut off. */
export function resetTransport({ stream, reset }: Ends): void {
  if (reset !== undefined) reset();
  else stream.destroy();
}

/**
 * Reads a byte stream to its end without looking, and drops it if that takes too long. Closing a socket with unread
 * input makes the kernel reset the connection, and what was on its way to the peer, a Close frame or a refusal, is lost.
 * @param timeout milliseconds for our own last bytes to leave; the peer then has a second to end its side
 */
export function discardUntilClosed(ends: Ends, timeout: number): void {
  const { stream } = ends;
  if (stream.destroyed) return;
  // A stream of HTTP/2 that the peer has reset calls itself closed, takes no more bytes, and may stay like that: Node waits for
  // what was written to leave. Where our side had ended there is no 'aborted' to tell of it, but an 'end'.
  const dropIfReset = () => {
    // Not inside of Node's own work on the session, which would go on forever.
    if (stream.closed) setImmediate(() => resetTransport(ends));
  };
  dropIfReset();
  stream.once('aborted', dropIfReset);
  stream.once('end', dropIfReset);
  let timer: NodeJS.Timeout;
  const allow = (delay: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => resetTransport(ends), delay);
  };
  allow(stream.writableFinished ? Math.min(lingerTime, timeout) : timeout);
  stream.once('finish', () => allow(Math.min(lingerTime, timeout)));
  stream.once('close', () => clearTimeout(timer));
  stream.resume();
}
