import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { isToken } from '../codec/headers';
import { discardUntilClosed } from '../connection/byteStreamEnds';
import { ignoreError } from './earlierResponses';

/** What Node gives an 'upgrade' listener. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came in the same read behind the request. */
  readonly head: Buffer;
}

/** What is used of an HTTP server here. */
interface ReturnServer {
  emit(event: string, socket: Duplex): boolean;
  readonly maxHeadersCount?: number | null;
}

type Field = readonly [name: string, value: string];

/** What `server.maxHeadersCount` stands for if it is not a number. */
const defaultMaxHeaders = 1000;

/**
 * Node's parser hands over this many header fields at a time, and drops nothing of its first batch whatever `server.maxHeadersCount`
 * says, or said when the connection was made.
 */
const firstBatch = 31;

/** Milliseconds for the bytes of a refusal to leave. */
const refusalTimeout = 5000;

/** Connections that have been given back to their HTTP server once. */
const returned = new WeakSet<Duplex>();

/**
 * Gives an upgrade request to another protocol back to its HTTP server, as if nobody listened for upgrades: the request, without its
 * `Upgrade` header, is parsed once more, with its body. Needed before Node 22.21 and 24.9, which have `server.shouldUpgradeCallback`.
 *
 * A request is parsed again only if every header field of it is known. Otherwise its body, of a length that nobody has seen, would be
 * run as a request (RFC 9112 §11.2). It is refused, and so is everything behind it.
 *
 * A connection is given back with its later requests once only, since each time emits 'connection'. After that, or if there is the
 * least doubt about the header fields, the request is the last one that is read.
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
  // Node answers with 400, in place of the response, where bytes follow a request that is the last.
  const rest = last && !hasBody ? [] : [head];
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), ...rest]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

function fieldsOf({ rawHeaders }: IncomingMessage): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) fields.push([rawHeaders[i] as string, rawHeaders[i + 1] as string]);
  return fields;
}

/** Node drops header fields only after this many; with fewer, `rawHeaders` is complete. */
function maxHeaders({ maxHeadersCount }: ReturnServer): number {
  if (typeof maxHeadersCount !== 'number') return defaultMaxHeaders;
  return maxHeadersCount <= 0 ? Number.POSITIVE_INFINITY : maxHeadersCount;
}

function isBodyField(name: string): boolean {
  const lowered = name.toLowerCase();
  return lowered === 'content-length' || lowered === 'transfer-encoding';
}

/** With `insecureHTTPParser`, Node accepts what would be read in another way the second time. */
function canBeWritten({ method, url }: IncomingMessage, fields: readonly Field[]): boolean {
  if (method === undefined || url === undefined || /[ \t\r\n]/.test(url)) return false;
  return fields.every(([name, value]) => isToken(name) && !/[\r\n]/.test(value));
}

/**
 * Whether Node may have read the body of an upgrade request itself, so that it is not in the bytes behind the request. No version does
 * that which lacks `shouldUpgradeCallback`; with it, a request only comes here if `filter` has answered differently the second time.
 */
function nodeParsesBodies(): boolean {
  return 'shouldUpgradeCallback' in createServer();
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  discardUntilClosed({ stream: socket }, refusalTimeout);
}
