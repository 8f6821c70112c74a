/**
 * One of several servers with a chat. They share their topics through a broker: `NATS=port` or `REDIS=port` says which, `PORT` chooses the
 * port. On SIGTERM, its clients are told to go to another server, where they resume.
 */
import { createServer } from 'node:http';
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import { type BrokerDriver, memoryBroker, type TopicMessage, Topics } from '../../lib/topics';
import { natsBroker } from '../../lib/topics/nats';
import { redisBroker } from '../../lib/topics/redis';
import { configureServer } from '../../lib/webSocketHandler';

const { NATS, REDIS, PORT = '8081' } = process.env;

/** A broker, and what closes the connection that the program has made for it. */
async function openBroker(): Promise<[BrokerDriver, () => Promise<void>]> {
  if (NATS !== undefined) {
    const always = { waitOnFirstConnect: true, maxReconnectAttempts: -1, pingInterval: 10_000 };
    const connection = connect({ servers: `127.0.0.1:${NATS}`, ...always });
    return [natsBroker(connection), async () => (await connection).close()];
  }
  if (REDIS !== undefined) return [redisBroker(createClient({ url: `redis://127.0.0.1:${REDIS}` })), async () => {}];
  return [memoryBroker(), async () => {}];
}

/** All members share what one function returns. */
const format = ({ id, data }: TopicMessage) => `${id} ${data}`;

async function main(): Promise<void> {
  const [broker, closeBroker] = await openBroker();
  const topics = new Topics({ broker });
  topics.on('offline', (error) => console.error(`${PORT}: ${error.message}`));
  topics.on('online', () => console.error(`${PORT}: the broker is back`));
  const server = createServer((request, response) => {
    // For the health checks of the load balancer. Without a broker, clients are still better off here than nowhere.
    if (!response.webSocket) return void response.end('alive\n');
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const ws = response.webSocket.connect();
    ws.pipe(topics.join('chat', { after: searchParams.get('after'), format })).pipe(ws);
  });
  const handle = configureServer(server);
  server.listen(Number(PORT), '127.0.0.1', () => console.log(`${PORT}: ready`));
  process.once('SIGTERM', async () => {
    server.close();
    await handle.close({ code: 1012, reason: 'restart', spread: 1000 });
    server.closeAllConnections();
    await topics.close();
    await closeBroker();
  });
}

void main();
