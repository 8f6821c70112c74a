import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Transport } from '../contracts';

/** A request, and the byte stream on which the challenge follows. */
export interface RequestTail {
  readonly request: IncomingMessage;
  readonly stream: Duplex;
  /** The bytes that were received in the same read after the headers of the request. */
  readonly head: Buffer;
}

/**
 * Reads the challenge that clients of some drafts send after the headers of their request (hixie-76 §1.3). It may be
 * received in the same read or later, in any number of pieces, and be followed by frames. Some clients declare it as a
 * body with a Content-Length; newer versions of Node then deliver it as the body of the request.
 * @param timeout milliseconds after which the stream is destroyed if the challenge has not been received
 * @param done called with the challenge, and with the transport whose next bytes are frames; not called if the stream
 * is destroyed
 */
export function readChallenge(
  { request, stream, head }: RequestTail,
  size: number,
  timeout: number,
  done: (challenge: Buffer, transport: Transport) => void,
): void {
  const deadline = setTimeout(() => stream.destroy(), timeout);
  stream.once('close', () => clearTimeout(deadline));
  const finish = (challenge: Buffer, rest: Buffer) => {
    clearTimeout(deadline);
    done(challenge, { stream, head: rest });
  };
  if (request.headers['content-length'] === undefined) return readExactly(stream, size, head, finish);
  const body: Buffer[] = [];
  request.on('data', (bytes: Buffer) => body.push(bytes));
  request.once('end', () => {
    const challenge = Buffer.concat(body);
    if (challenge.length === size) finish(challenge, head);
    else readExactly(stream, size, head, finish);
  });
}

/** Reads the first `size` bytes of a stream and pauses it, or destroys it if it ends before that. */
export function readExactly(
  stream: Duplex,
  size: number,
  head: Buffer,
  finish: (challenge: Buffer, rest: Buffer) => void,
): void {
  let received = head;
  const take = () => finish(received.subarray(0, size), received.subarray(size));
  if (received.length >= size) return take();
  const receive = (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    if (received.length < size) return;
    stopReading();
    take();
  };
  // The stream has ended inside the challenge.
  const end = () => stream.destroy();
  const stopReading = () => {
    stream.removeListener('data', receive);
    stream.removeListener('end', end);
    // The WebSocket resumes the stream.
    stream.pause();
  };
  stream.on('data', receive);
  stream.once('end', end);
}
