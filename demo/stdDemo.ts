import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { configureServer, type WebSocket } from '../lib/webSocketHandler';
import { listen } from './listen';

/** The event style. */
function echo(ws: WebSocket): void {
  ws.on('message', (body, { binary }) => {
    console.log('Got message: %O', body);
    if (binary) ws.sendBinaryMessage(body);
    else ws.sendTextMessage(body);
  });

  ws.connect();
}

/** An ordinary request listener: it gets requests for pages and requests for WebSockets. */
export function stdDemo(_request: IncomingMessage, response: ServerResponse): void {
  const ws = response.webSocket;
  if (ws) return echo(ws);

  response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade', 'Content-Type': 'text/plain' });
  response.end('We only speak WebSockets here\n');
}

export function createStdDemo(): Server {
  const server = createServer(stdDemo);
  configureServer(server);
  return server;
}

if (require.main === module) listen(createStdDemo());
