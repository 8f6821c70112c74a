import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { configureServer, type WebSocket } from '../lib/webSocketHandler';
import { backpressure, backpressureFigures } from './backpressureDemo';
import { chat, closeChat } from './chatDemo';
import { files, filesControl } from './filesDemo';
import { createHttp2Servers } from './http2PageDemo';
import { listen } from './listen';
import { closeBroker, mqtt } from './mqttDemo';
import { createPages } from './pages';
import { pipeDemo } from './pipeDemo';
import { status } from './statusDemo';
import { stdDemo } from './stdDemo';
import { tail } from './tailDemo';
import { tcp } from './tcpDemo';
import { transforms } from './transformsDemo';

/** All demos behind one server. A handler that takes a request can take a WebSocket, so each demo needs a route only. */
export function createDemo(): { readonly server: Server; stop(): Promise<void> } {
  const demos: Readonly<Record<string, (ws: WebSocket, query: URLSearchParams) => void | Promise<void>>> = {
    '/backpressure': backpressure,
    '/backpressure/figures': backpressureFigures,
    '/chat': chat,
    '/files': files,
    '/files/control': filesControl,
    '/mqtt': mqtt,
    '/status': (ws) => status(ws, handle),
    '/tail': tail,
    '/tcp': tcp,
    '/transforms': transforms,
  };
  const pages = createPages();
  const portOf = (listening: { address(): unknown }) => (listening.address() as AddressInfo).port;
  const redirect = (request: IncomingMessage, response: ServerResponse, scheme: string, port: number) => {
    const { hostname } = new URL(`http://${request.headers[':authority'] ?? request.headers.host ?? 'localhost'}`);
    response.writeHead(302, { Location: `${scheme}://${hostname}:${port}${request.url}` }).end();
  };

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const demo = demos[pathname];
    if (demo && response.webSocket) return void demo(response.webSocket, searchParams);
    switch (pathname) {
      case '/std':
        return stdDemo(request, response);
      case '/pipe':
      case '/shout':
        return pipeDemo(request, response);
      case '/http2.html':
        // Browsers speak HTTP/2 over TLS only.
        return redirect(request, response, 'https', portOf(secure.http2));
      case '/':
        request.url = '/index.html';
    }
    pages(request, response);
  });
  const handle = configureServer(server);

  const secure = createHttp2Servers((request, response) => {
    if (request.url === '/http2/ports') return response.end(JSON.stringify({ http1Port: portOf(secure.http1) }));
    // The other pages have their WebSockets on the server without TLS.
    const isOther = request.url === '/' || (request.url?.endsWith('.html') && request.url !== '/http2.html');
    if (isOther) return redirect(request, response, 'http', portOf(server));
    pages(request, response);
  });

  // Not before: if the port of the first server is in use, there is nothing to do.
  server.once('listening', () => {
    for (const each of [secure.http1, secure.http2]) each.listen(0);
  });

  return {
    server,
    async stop() {
      for (const each of [server, secure.http1, secure.http2]) each.close();
      // The pages are told 1001, and connect again as soon as there is a server.
      await Promise.all([handle, ...secure.handles].map((each) => each.close({ timeout: 5000 })));
      await Promise.all([closeBroker(), closeChat()]);
    },
  };
}

if (require.main === module) {
  const { server, stop } = createDemo();
  const end = async () => {
    await stop();
    // An HTTP/2 session of a page that has no WebSocket would last as long as its browser.
    process.exit();
  };
  // Not once(): npm forwards the Ctrl-C that the terminal has sent to both.
  process.on('SIGINT', end).on('SIGTERM', end);
  listen(server);
}
