/** An echo server in a process of its own, which specs freeze, block and starve. It prints its port, and how each WebSocket has ended. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { configureServer } from '../../lib/webSocketHandler';

const server = createServer((request, response) => {
  if (request.url === '/block') {
    // As a long calculation does: nothing else runs meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    return void response.end('blocked');
  }
  // Short on this path, so that little time is enough to find a peer that is silent.
  const heartbeat = request.url === '/impatient' ? { interval: 300, timeout: 300 } : (false as const);
  const ws = response.webSocket?.connect({ heartbeat });
  if (ws === undefined) return void response.end('ordinary');
  ws.pipe(ws);
  ws.on('error', ({ code }) => console.log(code));
  ws.on('end', () => console.log('end'));
});
configureServer(server);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
