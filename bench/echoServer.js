/**
 * One echo server in a process of its own: `ours` through a pipe, `ws` through its events, as their READMEs show. Plain
 * JavaScript and the built library, for a process like a user's, without a compiler in its heap.
 * It tells its parent its port, and the CPU time it has used whenever it is asked.
 */
const { createServer } = require('node:http');

const server = createServer((_request, response) => {
  const ws = response.webSocket?.connect();
  ws?.pipe(ws);
});

if (process.argv[2] === 'ours') {
  require('../dist/webSocketHandler.js').configureServer(server);
} else {
  const { WebSocketServer } = require('ws');
  new WebSocketServer({ server, maxPayload: 2 * 1024 * 1024 }).on('connection', (ws) => {
    ws.on('error', () => {});
    ws.on('message', (data, binary) => ws.send(data, { binary }));
  });
}

process.on('message', () => process.send({ cpu: process.cpuUsage() }));
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
