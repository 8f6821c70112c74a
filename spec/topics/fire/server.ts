/** A server of topics, in a process of its own: `node server.ts ENGINE PORT-OF-ENGINE PORT`. */
import { createServer } from 'node:http';
import { type TopicMessage, Topics } from '../../../lib/topics';
import { configureServer } from '../../../lib/webSocketHandler';
import { type EngineName, history, openDriver } from './drivers';

const [engine = '', enginePort, port] = process.argv.slice(2);

/** Members of a topic share what one function returns. */
const format = ({ id, data }: TopicMessage) => `${id} ${data}`;

async function main(): Promise<void> {
  const { driver, close } = await openDriver(engine as EngineName, Number(enginePort));
  const topics = new Topics({ broker: driver, history, initialDelay: 50, maxDelay: 500 });
  const server = createServer((request, response) => {
    if (response.webSocket === undefined) return void response.end('alive');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'ws://localhost');
    const ws = response.webSocket.connect();
    // The client sends nothing.
    ws.resume();
    topics.topic(pathname.slice(1)).add(ws, {
      after: searchParams.get('after'),
      format,
      onResume: ({ recovered, lost, after }) => ws.write(`${recovered ? 'recovered' : lost} ${after}`),
    });
  });
  const handle = configureServer(server);
  server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
  // As a deployment ends it: clients are told to go elsewhere, and resume there.
  process.once('SIGTERM', async () => {
    server.close();
    await handle.close({ spread: 200 });
    server.closeAllConnections();
    await topics.close();
    await close();
    // The specs find out that nothing keeps the process alive.
  });
}

void main();
