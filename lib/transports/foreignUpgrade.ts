import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { isToken } from '../codec/headers';
import { discardUntilClosed } from '../connection/byteStreamEnds';
import { ignoreError } from './earlierResponses';

/** The arguments of an 'upgrade' listener. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The bytes that were received in the same read after the headers of the request. */
  readonly head: Buffer;
}

/** The methods and properties of the HTTP server that are used here. */
interface ReturnServer {
  emit(event: string, socket: Duplex): boolean;
  readonly maxHeadersCount?: number | null;
}

type Field = readonly [name: string, value: string];

/** The limit of Node if `server.maxHeadersCount` is not a number. */
const defaultMaxHeaders = 1000;

/**
 * The number of header fields that Node's parser returns at a time. It drops none of the first batch, whatever the
 * value of `server.maxHeadersCount` is, or was when the connection was made.
 */
const firstBatch = 31;

/** Milliseconds for sending the bytes of a refusal. */
const refusalTimeout = 5000;

/** Connections that have been given back to their HTTP server once. */
const returned = new WeakSet<Duplex>();

/**
 * Gives an upgrade request to another protocol back to its HTTP server, as if there were no 'upgrade' listener: the
 * request, without its `Upgrade` header, is parsed once more, with its body. Node 22.21, 24.9 and later versions do not
 * need this: they have `server.shouldUpgradeCallback`.
 *
 * A request is parsed again only if all its header fields are known. If a field with the length of the body were lost,
 * the body would be read as another request (RFC 9112 §11.2). Such a request is refused, and so are the bytes after it.
 *
 * A connection is given back together with its later requests only once, because each time the server emits
 * 'connection'. After that, or if there is any doubt about the header fields, the request is the last one that is read.
 */
export function returnToHttp(server: ReturnServer, { request, socket, head }: Upgrade): void {
  const fields = fieldsOf(request);
  if (fields.length >= maxHeaders(server)) return refuse(socket, '431 Request Header Fields Too Large');
  const hasBody = fields.some(([name, value]) => isBodyField(name) && value !== '0');
  if (!canBeWritten(request, fields) || (hasBody && nodeParsesBodies())) return refuse(socket, '400 Bad Request');
  const last = returned.has(socket) || fields.length >= firstBatch;
  returned.add(socket);
  const dropped = last ? ['upgrade', 'connection'] : ['upgrade'];
  const kept = fields.filter(([name]) => !dropped.includes(name.toLowerCase()));
  if (last) kept.push(['Connection', 'close']);
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (const [name, value] of kept) lines.push(`${name}: ${value}`);
  // The HTTP server has a listener of its own for errors.
  socket.removeListener('error', ignoreError);
  // If bytes follow the last request, Node sends a 400 instead of the response.
  const rest = last && !hasBody ? [] : [head];
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), ...rest]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

function fieldsOf({ rawHeaders }: IncomingMessage): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) fields.push([rawHeaders[i] as string, rawHeaders[i + 1] as string]);
  return fields;
}

/** Returns the number of header fields that Node keeps. With fewer, `rawHeaders` is complete. */
function maxHeaders({ maxHeadersCount }: ReturnServer): number {
  if (typeof maxHeadersCount !== 'number') return defaultMaxHeaders;
  return maxHeadersCount <= 0 ? Number.POSITIVE_INFINITY : maxHeadersCount;
}

function isBodyField(name: string): boolean {
  const lowered = name.toLowerCase();
  return lowered === 'content-length' || lowered === 'transfer-encoding';
}

/**
 * Returns whether the request is parsed in the same way the second time. With `insecureHTTPParser`, Node also accepts
 * requests that are not.
 */
function canBeWritten({ method, url }: IncomingMessage, fields: readonly Field[]): boolean {
  if (method === undefined || url === undefined || /[ \t\r\n]/.test(url)) return false;
  return fields.every(([name, value]) => isToken(name) && !/[\r\n]/.test(value));
}

/**
 * Returns whether Node may have read the body of an upgrade request itself, so that it is not in the bytes after the
 * headers. Versions without `shouldUpgradeCallback` never do. In versions with it, a request gets here only if `filter`
 * has returned another value the second time.
 */
function nodeParsesBodies(): boolean {
  return 'shouldUpgradeCallback' in createServer();
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  discardUntilClosed({ stream: socket }, refusalTimeout);
}
