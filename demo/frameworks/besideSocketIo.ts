import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { configureServer } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

/** Socket.IO and WebSockets of this library on one server: a path each. */
export async function start(port = 4080): Promise<Demo> {
  const server = createServer((request, response) => {
    const ws = request.url === '/echo' ? response.webSocket?.connect() : undefined;
    if (ws) ws.pipe(ws);
    else response.writeHead(404).end();
  });
  // Otherwise Socket.IO destroys the socket of an upgrade for others that has no answer within a second.
  const io = new Server(server, { destroyUpgrade: false });
  io.on('connection', (socket) => void socket.on('question', (text, answer) => answer(`Socket.IO heard ${text}`)));
  // What is for Socket.IO is left to it.
  const handle = configureServer(server, { filter: ({ url }) => !url?.startsWith('/socket.io/') });
  const demo = await listen(server, handle, port);
  return {
    port: demo.port,
    async close() {
      // It ends its own connections, and the server as well.
      await Promise.all([handle.close(), io.close()]);
    },
  };
}

if (require.main === module) void runUntilSignal(start);
