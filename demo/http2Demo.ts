import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { join } from 'node:path';
import serveStatic from 'serve-static';
import { configureServer, type WebSocket, type WebSocketServer } from '../lib/webSocketHandler';
import { createCertificate } from './certificate';
import { listen } from './listen';

const serveFiles = serveStatic(join(__dirname, 'public'), { index: 'echotest.html' });

/** The HTTP/2 session that a WebSocket shares with others, and with ordinary requests. */
function sessionOf({ request }: Pick<WebSocket, 'request'>): unknown {
  return request !== undefined && 'stream' in request ? request.stream.session : undefined;
}

/** Sends the name of its transport, then echoes. The echo is the same over both transports. */
function talk(ws: WebSocket, { connections }: WebSocketServer): void {
  ws.connect();
  const session = sessionOf(ws);
  const sharing = [...connections].filter((other) => sessionOf(other) === session).length;
  ws.write(session ? `We talk over HTTP/2. WebSockets on this session: ${sharing}` : 'We talk over HTTP/1.1');
  ws.pipe(ws);
}

/** One server and one listener for HTTP/1.1 and HTTP/2, for pages and WebSockets. */
export function createHttp2Demo(): Http2SecureServer {
  // No authority has signed the certificate, so browsers ask whether you trust it.
  const server = createSecureServer({ ...createCertificate(), allowHTTP1: true });
  const handle = configureServer(server);

  // Requests and responses of HTTP/2 have the methods and properties that middleware uses, so these types are near enough.
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (response.webSocket) return talk(response.webSocket, handle);

    serveFiles(request, response, () => {
      // HTTP/2 has no upgrades: there a header of that name is an error.
      const upgrade = request.httpVersionMajor === 1 ? { Upgrade: 'websocket', Connection: 'Upgrade' } : {};
      response.writeHead(426, { ...upgrade, 'Content-Type': 'text/plain' });
      response.end('We only speak WebSockets here\n');
    });
  });
  return server;
}

if (require.main === module) listen(createHttp2Demo(), 'https');
