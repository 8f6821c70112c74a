import { createServer } from 'node:http';
import { join } from 'node:path';
import next from 'next';
import { configureServer } from '../../lib/webSocketHandler';
import { type Demo, listen } from './demo';

/** A custom server of Next.js: WebSockets are for this program, everything else is for Next. */
export async function start(port = 4080): Promise<Demo> {
  const server = createServer();
  const app = next({
    dev: process.env['NODE_ENV'] !== 'production',
    dir: join(__dirname, 'nextSite'),
    httpServer: server,
  });
  await app.prepare();
  const answer = app.getRequestHandler();

  server.on('request', (request, response) => {
    const ws = request.url === '/echo' ? response.webSocket?.connect() : undefined;
    if (ws) ws.pipe(ws);
    else void answer(request, response);
  });
  // What Next opens itself, for hot reloading, is left to Next.
  const handle = configureServer(server, { filter: ({ url }) => !url?.startsWith('/_next/') });
  const demo = await listen(server, handle, port);
  return {
    port: demo.port,
    async close() {
      await Promise.all([demo.close(), app.close()]);
    },
  };
}

if (require.main === module) void start();
