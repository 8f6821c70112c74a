/**
 * One echo server in a process of its own: `ours` through a pipe, `ws` through its events, as their READMEs show. Plain
 * JavaScript and the built library, for a process like a user's, without a compiler in its heap.
 * It tells its parent its port, and what it has used whenever it is asked.
 */
const { createServer } = require('node:http');

const { library, deflate } = JSON.parse(process.argv[2]);

const server = createServer((_request, response) => {
  const ws = response.webSocket?.connect();
  ws?.pipe(ws);
});

if (library === 'ours') {
  // A second of silence stands for the half minute that it is by default.
  const perMessageDeflate = deflate && { idleRelease: 1000 };
  require('../dist/lib/webSocketHandler.js').configureServer(server, { perMessageDeflate });
} else {
  const { WebSocketServer } = require('ws');
  const options = { server, maxPayload: 2 * 1024 * 1024, perMessageDeflate: deflate };
  new WebSocketServer(options).on('connection', (ws) => {
    ws.on('error', () => {});
    ws.on('message', (data, binary) => ws.send(data, { binary }));
  });
}

process.on('message', (question) => {
  if (question === 'cpu') return process.send({ cpu: process.cpuUsage() });
  // More than once: what a finalizer frees is garbage only afterwards.
  for (let i = 0; i < 5; i++) global.gc();
  process.send({ memory: process.memoryUsage().rss });
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
