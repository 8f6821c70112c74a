/**
 * A server whose members get every message that any member of any process sends: `node server.js KIND PORT-OF-ENGINE`. It says its port, and
 * answers its parent: `cpu` with its CPU time in microseconds, `catchingUp` with the number of members that have fallen behind.
 */
const http = require('node:http');
const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist', 'lib');
const [kind, enginePort] = process.argv.slice(2);
const history = { messages: 1000, maxAge: 300_000 };

let catchingUp = () => 0;

/** This library with topics in a broker. */
async function listenWithTopics(server, openBroker) {
  const { configureServer } = require(join(dist, 'webSocketHandler.js'));
  const { Topics } = require(join(dist, 'topics', 'index.js'));
  const topics = new Topics({ broker: await openBroker(), history });
  const topic = topics.topic('bench');
  catchingUp = () => topic.totals.catchingUp;
  // Members that do not read stay for as long as the bench takes.
  configureServer(server, { sendTimeout: false });
  server.on('request', (_request, response) => {
    const ws = response.webSocket.connect();
    // As many as the members may leave unread, so that none of them reads the history.
    topic.add(ws, { limit: 64 });
    ws.on('message', (message) => topic.write(message));
  });
}

const kinds = {
  memory: (server) => listenWithTopics(server, () => undefined),
  nats: (server) =>
    listenWithTopics(server, async () => {
      const { connect } = require('@nats-io/transport-node');
      const { natsBroker } = require(join(dist, 'topics', 'nats', 'index.js'));
      return natsBroker(await connect({ port: Number(enginePort) }));
    }),
  redis: (server) =>
    listenWithTopics(server, async () => {
      const { createClient } = require('redis');
      const { redisBroker } = require(join(dist, 'topics', 'redis', 'index.js'));
      return redisBroker(createClient({ socket: { host: '127.0.0.1', port: Number(enginePort) } }));
    }),
  'socket.io': async (server) => {
    const { createClient } = require('redis');
    const { Server } = require('socket.io');
    const { createAdapter } = require('@socket.io/redis-streams-adapter');
    const client = createClient({ socket: { host: '127.0.0.1', port: Number(enginePort) } });
    await client.connect();
    const io = new Server(server, { adapter: createAdapter(client, { maxLen: 1000 }), transports: ['websocket'] });
    io.on('connection', (socket) => socket.on('m', (message) => io.emit('m', message)));
  },
};

const server = http.createServer();
kinds[kind](server).then(() => {
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('message', (figure) => {
    const { user, system } = process.cpuUsage();
    process.send(figure === 'cpu' ? user + system : catchingUp());
  });
  process.on('disconnect', () => process.exit());
});
