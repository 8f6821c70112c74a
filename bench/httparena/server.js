// The entry for HttpArena (https://www.http-arena.com): echoes every message at /ws, with one process for each core.

const cluster = require('node:cluster');
const { createServer } = require('node:http');
const { availableParallelism } = require('node:os');
const { configureServer } = require('node-websocket-handler');

const port = Number(process.env.PORT ?? 8080);
const [major] = process.versions.node.split('.').map(Number);
/** Since Node 23.1 the kernel can give each process its connections; before, the primary process hands them out. */
const reusePort = process.platform === 'linux' && major >= 24;

function serve() {
  const server = createServer((request, response) => {
    if (response.webSocket === undefined || request.url !== '/ws') return response.writeHead(404).end();
    const ws = response.webSocket.connect();
    ws.on('message', (message, { binary }) => {
      if (binary) ws.sendBinaryMessage(message);
      else ws.sendTextMessage(message);
    });
    // The load generator drops its connections.
    ws.on('error', () => {});
  });
  configureServer(server, { origins: 'any', heartbeat: false, perMessageDeflate: false });
  server.listen({ port, backlog: 65_535, reusePort }, () =>
    console.log(`process ${process.pid} echoes at ws://localhost:${port}/ws`),
  );
}

if (cluster.isPrimary) for (let i = 0; i < availableParallelism(); i++) cluster.fork();
else serve();
