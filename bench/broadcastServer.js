/**
 * A server that sends every message that comes to all of its connections: `ours` with `handle.broadcast()`, `ws` with the loop of
 * its README. Plain JavaScript and the built library, as in echoServer.js; it tells its parent the same.
 */
const { createServer } = require('node:http');

const { library, deflate } = JSON.parse(process.argv[2]);

const server = createServer((_request, response) => {
  response.webSocket?.connect().on('message', (message) => handle.broadcast(message));
});
let handle;

if (library === 'ours') {
  const { configureServer } = require('../dist/lib/webSocketHandler.js');
  handle = configureServer(server, { perMessageDeflate: deflate });
} else {
  const { WebSocket, WebSocketServer } = require('ws');
  const all = new WebSocketServer({ server, perMessageDeflate: deflate });
  all.on('connection', (ws) => {
    ws.on('error', () => {});
    ws.on('message', (data, binary) => {
      for (const client of all.clients) if (client.readyState === WebSocket.OPEN) client.send(data, { binary });
    });
  });
}

process.on('message', () => process.send({ cpu: process.cpuUsage() }));
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
