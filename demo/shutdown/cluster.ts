/**
 * A cluster that is restarted one worker after the other, while the others serve: send it SIGHUP, after a deployment for instance. A new worker
 * listens before an old one is told to stop. The clients of that get 1012, "service restart", and come back to another.
 * `WORKERS` says how many there are, `PORT` chooses the port.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { configureServer } from '../../lib/webSocketHandler';
import { listen } from '../listen';

function serve(): void {
  const server = createServer((_request, response) => {
    if (!response.webSocket) return void response.writeHead(426).end('This endpoint speaks WebSocket');
    const ws = response.webSocket.connect();
    ws.write(`worker ${process.pid}`);
    ws.pipe(ws);
  });
  const handle = configureServer(server);
  process.once('message', async () => {
    server.close();
    await handle.close({ code: 1012, reason: 'restart', spread: 500 });
    // The channel to the primary is all that still keeps the process.
    process.disconnect();
  });
  listen(server);
}

async function start(): Promise<Worker> {
  const worker = cluster.fork();
  await once(worker, 'listening');
  return worker;
}

async function stop(worker: Worker): Promise<void> {
  const exited = once(worker, 'exit');
  worker.send('stop');
  await exited;
}

async function restart(workers: readonly Worker[]): Promise<Worker[]> {
  const fresh: Worker[] = [];
  for (const worker of workers) {
    fresh.push(await start());
    await stop(worker);
  }
  console.log('restarted');
  return fresh;
}

async function lead(): Promise<void> {
  const { WORKERS = availableParallelism() } = process.env;
  let workers: Promise<Worker[]> = Promise.all(Array.from({ length: Number(WORKERS) }, start));
  const next = (change: (now: Worker[]) => Promise<Worker[]>) => {
    // One restart after the other, however many signals there are.
    workers = workers.then(change);
  };
  process.on('SIGHUP', () => next(restart));
  process.once('SIGTERM', () =>
    next(async (now) => {
      await Promise.all(now.map(stop));
      process.exit();
    }),
  );
  await workers;
  console.log('all workers are listening');
}

if (cluster.isPrimary) void lead();
else serve();
