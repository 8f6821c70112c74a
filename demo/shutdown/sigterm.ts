/**
 * A server that ends as a process manager expects (systemd, PM2, Docker): on SIGTERM it takes no new connections, closes those that are open,
 * and ends by itself with the code 0 when nothing is left. `PORT` chooses the port.
 */
import { createServer } from 'node:http';
import { configureServer } from '../../lib/webSocketHandler';
import { listen } from '../listen';

const server = createServer((_request, response) => {
  if (!response.webSocket) return void response.writeHead(426).end('This endpoint speaks WebSocket');
  const ws = response.webSocket.connect();
  ws.pipe(ws);
});
const handle = configureServer(server);

process.once('SIGTERM', async () => {
  server.close();
  // Less than the time after which the process manager kills: TimeoutStopSec, kill_timeout, or the 10 s of docker stop.
  const { closed, dropped } = await handle.close({ timeout: 8000, spread: 500 });
  console.log(`closed ${closed}, dropped ${dropped}`);
});
listen(server);
