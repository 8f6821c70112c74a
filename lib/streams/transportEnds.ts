import type { Transport } from '../contracts';

/** Milliseconds that we go on reading after our last byte has left. */
const lingerTime = 1000;

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
  if (stream.closed) return;
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
