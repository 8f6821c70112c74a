import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { getIronSession } from 'iron-session';
import next from 'next';
import { configureServer } from '../../lib/webSocketHandler';
import { type Demo, portOf, runUntilSignal } from './demo';
import sessionOptions from './nextSite/session.json';

/** The session of a login, which is a route of Next: pages/api/login.js. */
async function chat(request: IncomingMessage, response: ServerResponse, room: string): Promise<void> {
  const { user } = await getIronSession<{ user?: string }>(request, response, sessionOptions);
  if (user === undefined) {
    response.writeHead(401, { 'Content-Type': 'application/json' }).end(JSON.stringify({ message: 'Log in first' }));
    return;
  }
  response.setHeader('Set-Cookie', `room=${room}`);
  const ws = response.webSocket?.connect();
  ws?.write(`${user} is in ${room}`);
  ws?.pipe(ws);
}

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
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [, room] = /^\/chat\/(\w+)$/.exec(pathname) ?? [];
    if (response.webSocket && room !== undefined) {
      chat(request, response, room).catch((error) => response.destroy(error));
    } else if (response.webSocket && pathname === '/echo') {
      const ws = response.webSocket.connect();
      ws.pipe(ws);
    } else {
      void answer(request, response);
    }
  });
  // What Next opens itself, for hot reloading, is left to Next.
  const handle = configureServer(server, { filter: ({ url }) => !url?.startsWith('/_next/') });
  await once(server.listen(port), 'listening');
  return {
    port: portOf(server),
    async close() {
      const closed = once(server, 'close');
      server.close();
      await handle.close();
      await app.close();
      await closed;
    },
  };
}

if (require.main === module) void runUntilSignal(start);
