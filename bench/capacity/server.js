/**
 * The server whose capacity is measured: it echoes, and pings every connection. Plain JavaScript and the built library, as in a program
 * of a user. Answers its parent's questions.
 */
const { createServer } = require('node:http');
const { monitorEventLoopDelay } = require('node:perf_hooks');

const { library, heartbeat } = JSON.parse(process.argv[2]);
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

const libraries = {
  ours(server) {
    const { configureServer } = require('../library.js');
    const handle = configureServer(server, { heartbeat: { interval: heartbeat, timeout: heartbeat }, origins: 'any' });
    server.on('request', (_request, response) => {
      const ws = response.webSocket.connect();
      ws.on('message', (message) => ws.sendTextMessage(message));
      ws.on('error', () => {});
    });
    return { count: () => handle.connections.size, broadcast: (text) => handle.broadcast(text) };
  },
  /** The package ws, with the heartbeat that its README has for servers. */
  ws(server) {
    const { WebSocketServer } = require('ws');
    const all = new WebSocketServer({ server, perMessageDeflate: false });
    all.on('connection', (ws) => {
      ws.isAlive = true;
      ws.on('pong', heard);
      ws.on('message', echo);
      ws.on('error', () => {});
    });
    setInterval(() => {
      for (const ws of all.clients) {
        if (!ws.isAlive) ws.terminate();
        ws.isAlive = false;
        ws.ping();
      }
    }, heartbeat).unref();
    return {
      count: () => all.clients.size,
      broadcast(text) {
        for (const ws of all.clients) ws.send(text);
      },
    };
  },
};

function heard() {
  this.isAlive = true;
}

function echo(bytes) {
  this.send(bytes, { binary: false });
}

const server = createServer();
const { count, broadcast } = libraries[library](server);

const answers = {
  /** CPU time in µs. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  /** Bytes that are in use once there is no garbage. */
  memory() {
    for (let i = 0; i < 3; i++) global.gc();
    const { rss, heapUsed } = process.memoryUsage();
    return { resident: rss, heap: heapUsed };
  },
  count,
  broadcast() {
    broadcast('x'.repeat(1024));
  },
  /** The longest delay of the event loop since the last question, in milliseconds. */
  delay() {
    const { max } = delay;
    delay.reset();
    return max / 1e6;
  },
};

process.on('message', (question) => process.send({ answer: answers[question]() ?? null }, () => {}));
process.on('disconnect', () => process.exit());
server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 }, () => process.send({ answer: server.address().port }));
