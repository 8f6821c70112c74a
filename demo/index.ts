import { createServer, type Server } from 'node:http';
import { configureServer, type WebSocket } from '../lib/webSocketHandler';
import { backpressure, backpressureFigures } from './backpressureDemo';
import { chat } from './chatDemo';
import { files, filesControl } from './filesDemo';
import { listen } from './listen';
import { createPages } from './pages';
import { pipeDemo } from './pipeDemo';
import { stdDemo } from './stdDemo';
import { transforms } from './transformsDemo';

/** The demos with a page each, by their path. */
const demos: Readonly<Record<string, (ws: WebSocket, query: URLSearchParams) => void | Promise<void>>> = {
  '/backpressure': backpressure,
  '/backpressure/figures': backpressureFigures,
  '/chat': chat,
  '/files': files,
  '/files/control': filesControl,
  '/transforms': transforms,
};

/** All demos behind one server. A handler that takes a request can take a WebSocket, so each demo needs a route only. */
export function createDemo(): { readonly server: Server; stop(): void } {
  const pages = createPages();

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const demo = demos[pathname];
    if (demo && response.webSocket) return void demo(response.webSocket, searchParams);
    if (demo) return response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade' }).end();
    switch (pathname) {
      case '/std':
        return stdDemo(request, response);
      case '/pipe':
      case '/shout':
        return pipeDemo(request, response);
      case '/':
        request.url = '/index.html';
    }
    pages(request, response);
  });

  const handle = configureServer(server);
  return {
    server,
    stop() {
      server.close();
      // The pages are told 1001, and connect again as soon as there is a server.
      void handle.close();
    },
  };
}

if (require.main === module) {
  const { server, stop } = createDemo();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  listen(server);
}
