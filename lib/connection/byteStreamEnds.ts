import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Transport } from '../contracts';

/** Milliseconds for which the byte stream is still read after our side has finished. */
export const lingerTime = 1000;

type Ends = Pick<Transport, 'stream' | 'reset'>;

/** Destroys a byte stream, so that the peer sees a reset. */
export function resetByteStream({ stream, reset }: Ends): void {
  if (reset !== undefined) reset();
  else stream.destroy();
}

/**
 * Reads a byte stream to its end, discards the bytes, and resets the byte stream if that takes too long. If a socket is
 * closed while received bytes are unread, the kernel resets the connection, and bytes on the way to the peer, such as a
 * Close frame or a refusal, are lost.
 * @param timeout milliseconds without progress after which the byte stream is reset while our last bytes wait; when
 * they have been sent, the peer has a second to end its side
 */
export function discardUntilClosed(ends: Ends, timeout: number): void {
  const { stream } = ends;
  if (stream.destroyed) return;
  // If the peer has reset an HTTP/2 stream, its `closed` is true and it accepts no more bytes, but it may never emit
  // 'close': Node waits until the written bytes are sent. If our side had ended before, 'aborted' is not emitted, but
  // 'end' is.
  const dropIfReset = () => {
    // setImmediate(), because a reset inside of Node's own processing of the session makes that loop forever.
    if (stream.closed) setImmediate(() => resetByteStream(ends));
  };
  if ('aborted' in stream) {
    dropIfReset();
    stream.once('aborted', dropIfReset);
    stream.once('end', dropIfReset);
  }
  const timer = setTimeout(() => resetByteStream(ends), timeout);
  let lingering: NodeJS.Timeout | undefined;
  const linger = () => {
    clearTimeout(timer);
    lingering ??= setTimeout(() => resetByteStream(ends), Math.min(lingerTime, timeout));
  };
  if (stream.writableFinished) linger();
  else stream.once('finish', linger);
  // Each 'drain' shows that bytes were sent, so the timeout starts again.
  const progressed = () => lingering ?? timer.refresh();
  stream.on('drain', progressed);
  stream.once('close', () => {
    clearTimeout(timer);
    clearTimeout(lingering);
    stream.removeListener('drain', progressed);
  });
  stream.resume();
}
