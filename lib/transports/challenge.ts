import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Transport } from '../contracts';

/** Where the bytes behind a request are to be found. */
export interface RequestTail {
  readonly request: IncomingMessage;
  readonly stream: Duplex;
  /** What came in the same read behind the request. */
  readonly head: Buffer;
}

/**
 * Reads the bytes that a client sends behind its request as a part of the handshake: in the same read, or later, in any pieces,
 * with frames behind them. A client that gives their number as its Content-Length sends them as the body of the request, for
 * those versions of Node that read it.
 * @param timeout milliseconds
 * @param done called with the bytes, and the transport behind them; not called if they do not come: the stream is then destroyed
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

/** Takes the first bytes off a stream, which is then paused, or destroyed if it ends before them. */
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
  // A part of them, and nothing more to come.
  const end = () => stream.destroy();
  const stopReading = () => {
    stream.removeListener('data', receive);
    stream.removeListener('end', end);
    // Until whoever reads the frames resumes it.
    stream.pause();
  };
  stream.on('data', receive);
  stream.once('end', end);
}
