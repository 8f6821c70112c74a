import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import { configureServer, type WebSocket, type WebSocketServer } from '../lib/webSocketHandler';
import { createCertificate } from './certificate';

const numbers = new WeakMap<object, number>();
let connections = 0;

/** Numbers the connections: with HTTP/2 many WebSockets have the same. */
function numberOf({ request }: WebSocket): number {
  const connection = request && 'stream' in request ? request.stream.session : request?.socket;
  if (!connection) return 0;
  const number = numbers.get(connection) ?? ++connections;
  numbers.set(connection, number);
  return number;
}

/** Tells what carries the WebSocket, and echoes. */
function talk(ws: WebSocket): void {
  ws.connect();
  ws.write(JSON.stringify({ transport: ws.transport, connection: numberOf(ws) }));
  ws.pipe(ws);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Http2Servers {
  /** For HTTP/2 and HTTP/1.1. */
  readonly http2: Http2SecureServer;
  /** The same with HTTP/1.1 only. */
  readonly http1: Server;
  readonly handles: readonly WebSocketServer[];
}

/** Two servers with TLS and one handler: its WebSockets are for `talk()`, and what is left is for `pages`. */
export function createHttp2Servers(pages: Handler): Http2Servers {
  const certificate = createCertificate();
  const handler: Handler = (request, response) => {
    if (response.webSocket) talk(response.webSocket);
    else pages(request, response);
  };
  const http2 = createSecureServer({ ...certificate, allowHTTP1: true });
  // Requests and responses of HTTP/2 have the methods and properties that middleware uses, so these types are near enough.
  http2.on('request', handler);
  const http1 = createServer(certificate, handler);
  // The page is of another port than http1, and so of another origin.
  const handles = [http2, http1].map((server) => configureServer(server, { origins: 'any' }));
  return { http2, http1, handles };
}
