import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Transport } from '../contracts';

/** Milliseconds that we go on reading after our last byte has left. */
export const lingerTime = 1000;

type Ends = Pick<Transport, 'stream' | 'reset'>;

/** Drops a byte stream, so that the peer sees that it was cut off. */
export function resetByteStream({ stream, reset }: Ends): void {
  if (reset !== undefined) reset();
  else stream.destroy();
}

/**
 * Reads a byte stream to its end without looking, and drops it if that takes too long. Closing a socket with unread input makes the
 * kernel reset the connection, and what was on its way to the peer, a Close frame or a refusal, is lost.
 * @param timeout milliseconds without progress for our own last bytes to leave; the peer then has a second to end its side
 */
export function discardUntilClosed(ends: Ends, timeout: number): void {
  const { stream } = ends;
  if (stream.destroyed) return;
  // A stream of HTTP/2 that the peer has reset calls itself closed, takes no more bytes, and may stay like that: Node waits for
  // what was written to leave. Where our side had ended there is no 'aborted' to tell of it, but an 'end'.
  const dropIfReset = () => {
    // Not inside of Node's own work on the session, which would go on forever.
    if (stream.closed) setImmediate(() => resetByteStream(ends));
  };
  dropIfReset();
  stream.once('aborted', dropIfReset);
  stream.once('end', dropIfReset);
  const timer = setTimeout(() => resetByteStream(ends), timeout);
  let lingering: NodeJS.Timeout | undefined;
  const linger = () => {
    clearTimeout(timer);
    lingering ??= setTimeout(() => resetByteStream(ends), Math.min(lingerTime, timeout));
  };
  if (stream.writableFinished) linger();
  else stream.once('finish', linger);
  // Each 'drain' shows that bytes have left, and gives the rest its whole time.
  const progressed = () => lingering ?? timer.refresh();
  stream.on('drain', progressed);
  stream.once('close', () => {
    clearTimeout(timer);
    clearTimeout(lingering);
    stream.removeListener('drain', progressed);
  });
  stream.resume();
}
