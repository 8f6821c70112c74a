import type { Server } from 'node:http';
import { join } from 'node:path';
import { createServer, type Plugin } from 'vite';
import { configureServer } from '../../lib/webSocketHandler';
import { connectRoutes } from './connectRoutes';
import { type Demo, runUntilSignal } from './demo';

/** A plugin of Vite. Its hook has the name of our function, but is a method: inside it, `configureServer()` is ours. */
export function webSockets(): Plugin {
  return {
    name: 'web-sockets',
    configureServer(vite) {
      // There is none in middleware mode: then the program configures its own server.
      if (vite.httpServer === null) return;
      // What Vite opens itself, for hot reloading, is left to Vite.
      const handle = configureServer(vite.httpServer as Server, {
        filter: ({ headers }) => !headers['sec-websocket-protocol']?.startsWith('vite-'),
      });
      for (const [path, middleware] of connectRoutes()) vite.middlewares.use(path, middleware);
      // Vite destroys the sockets when it closes.
      const { close } = vite;
      vite.close = async () => {
        await handle.close();
        await close.call(vite);
      };
    },
  };
}

export async function start(port = 4080): Promise<Demo> {
  const vite = await createServer({
    root: join(__dirname, 'site'),
    configFile: false,
    logLevel: 'error',
    cacheDir: join(__dirname, 'node_modules', '.vite'),
    server: { port, host: 'localhost' },
    plugins: [webSockets()],
  });
  await vite.listen();
  const address = vite.httpServer?.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => vite.close(),
  };
}

if (require.main === module) void runUntilSignal(start);
