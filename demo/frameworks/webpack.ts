import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import webpack from 'webpack';
import WebpackDevServer from 'webpack-dev-server';
import { configureServer, type WebSocketServer } from '../../lib/webSocketHandler';
import { connectRoutes } from './connectRoutes';
import { type Demo, runUntilSignal } from './demo';

/** @param DevServer webpack-dev-server 5, or 6 */
export async function start(port = 4080, DevServer = WebpackDevServer): Promise<Demo> {
  const compiler = webpack({
    mode: 'development',
    context: join(__dirname, 'site'),
    entry: './main.js',
    output: { path: join(__dirname, 'node_modules', '.webpack') },
    infrastructureLogging: { level: 'error' },
    stats: 'errors-only',
  });
  if (compiler === null) throw new Error('The configuration of webpack is invalid');

  let handle: WebSocketServer | undefined;
  const development = new DevServer(
    {
      port,
      host: 'localhost',
      static: join(__dirname, 'site'),
      setupMiddlewares(middlewares) {
        const ours = connectRoutes().map(([path, middleware]) => ({ name: path, path, middleware }));
        return [...(ours as WebpackDevServer.Middleware[]), ...middlewares];
      },
      onListening({ server }) {
        // Its own WebSockets, for hot reloading, are at /ws.
        handle = configureServer(server as Server, { filter: ({ url }) => url !== '/ws' });
      },
    },
    compiler,
  );
  await development.start();
  const address = development.server?.address() as AddressInfo;
  return {
    port: address.port,
    async close() {
      await handle?.close();
      await development.stop();
    },
  };
}

if (require.main === module) void runUntilSignal(start);
