/**
 * A server for a pod of Kubernetes. A second port, which no Service names, is for the kubelet:
 *
 *     readinessProbe: { httpGet: { port: 4081, path: /ready } }
 *     lifecycle: { preStop: { httpGet: { port: 4081, path: /drain } } }
 *     terminationGracePeriodSeconds: 60
 *
 * Kubernetes runs the hook while it takes the pod out of its Services, and sends SIGTERM when the hook has been answered. Until the last proxy
 * knows, new connections still arrive, and they are served: `DRAIN_DELAY` milliseconds. `PORT` and `ADMIN_PORT` choose the ports.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { configureServer } from '../../lib/webSocketHandler';
import { listen } from '../listen';

const { ADMIN_PORT = 4081, DRAIN_DELAY = 5000 } = process.env;
let ready = true;

const server = createServer((_request, response) => {
  if (!response.webSocket) return void response.writeHead(426).end('This endpoint speaks WebSocket');
  const ws = response.webSocket.connect();
  ws.pipe(ws);
});
const handle = configureServer(server);

const admin = createServer(async ({ url }, response) => {
  if (url === '/ready') return void response.writeHead(ready ? 200 : 503).end();
  if (url !== '/drain') return void response.writeHead(404).end();
  ready = false;
  await setTimeout(Number(DRAIN_DELAY));
  server.close();
  // With DRAIN_DELAY, less than terminationGracePeriodSeconds. The clients come back to other pods, not all at once.
  const { closed, dropped } = await handle.close({ timeout: 40_000, spread: Number(DRAIN_DELAY) });
  response.end(`closed ${closed}, dropped ${dropped}\n`);
});

process.once('SIGTERM', () => {
  admin.close();
  // If there was no hook, or it is not done: the WebSockets are closed now. `close()` may be called twice.
  server.close();
  void handle.close({ timeout: 10_000 });
});
admin.listen(Number(ADMIN_PORT), () => console.log(`Probes at ${(admin.address() as AddressInfo).port}`));
listen(server);
