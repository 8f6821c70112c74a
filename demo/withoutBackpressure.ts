import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { createFlood, figures, produce } from './flood';

/** Without this, the demo would take all the memory that your machine has. */
const limit = 256 * 1024 * 1024;

const flood = createFlood();

/** Sends what the source yields, as most programs do: `send()` takes everything, and returns nothing that would say "wait". */
async function send(socket: WebSocket, source: AsyncIterable<string | Buffer>): Promise<void> {
  for await (const message of source) {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > limit) {
      flood.cut++;
      return socket.terminate();
    }
    socket.send(message);
  }
}

const server = createServer();
new WebSocketServer({ server }).on('connection', (socket, request) => {
  socket.on('error', ({ message }) => console.log(`ws: ${message}`));
  if (request.url === '/figures') return send(socket, figures(flood));
  flood.readers.add(socket);
  socket.on('close', () => flood.readers.delete(socket));
  return send(socket, produce(flood));
});
server.listen(0, () => process.send?.((server.address() as AddressInfo).port));

// Our parent has ended.
process.once('disconnect', () => process.exit());
// Ctrl-C is for the parent, which ends us; the terminal sends it to both.
process.on('SIGINT', () => {});
