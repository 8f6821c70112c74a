import type { Duplex, DuplexOptions } from 'node:stream';
import { byteStream } from '../byteStream';
import type { WebSocket } from './webSocket';

/**
 * Returns a Duplex over a WebSocket: `byteStream()` of its `stream`; or, in object mode, and where strings are to be written as text
 * (`decodeStrings: false`), the `stream` itself. Call it in the turn in which the WebSocket was made or has opened. The
 * options are `objectMode`, `readableObjectMode`, `writableObjectMode`, `decodeStrings`, `encoding` and `defaultEncoding`.
 */
export function createWebSocketStream(webSocket: WebSocket, options: DuplexOptions = {}): Duplex {
  const { objectMode, readableObjectMode, writableObjectMode, decodeStrings, encoding, defaultEncoding } = options;
  if (objectMode || readableObjectMode || writableObjectMode || decodeStrings === false) return webSocket.stream;
  const stream = byteStream(webSocket.stream);
  if (encoding) stream.setEncoding(encoding);
  if (defaultEncoding) stream.setDefaultEncoding(defaultEncoding as BufferEncoding);
  return stream;
}
