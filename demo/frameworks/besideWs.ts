import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { configureServer } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

/** A server of ws and WebSockets of this library on one server: a path each. */
export async function start(port = 4080): Promise<Demo> {
  const server = createServer((request, response) => {
    const ws = request.url === '/echo' ? response.webSocket?.connect() : undefined;
    if (ws) ws.pipe(ws);
    else response.writeHead(404).end();
  });
  // With its options `server` and `path`, ws answers all other paths with 400.
  const wss = new WebSocketServer({ noServer: true });
  wss.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(`ws heard ${data}`));
  });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/ws') return;
    wss.handleUpgrade(request, socket, head, (client) => wss.emit('connection', client, request));
  });
  const handle = configureServer(server, { filter: ({ url }) => url !== '/ws' });
  const demo = await listen(server, handle, port);
  return {
    port: demo.port,
    async close() {
      for (const client of wss.clients) client.close(1001);
      await demo.close();
    },
  };
}

if (require.main === module) void runUntilSignal(start);
