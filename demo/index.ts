import { createServer, type Server } from 'node:http';
import { configureServer } from '../lib/webSocketHandler';
import { createConnectApp } from './connectDemo';
import { listen } from './listen';
import { pipeDemo } from './pipeDemo';
import { stdDemo } from './stdDemo';

/** All demos behind one server. A handler that takes a request can take a WebSocket, so each demo needs a route only. */
export function createDemo(): Server {
  const connectApp = createConnectApp();

  const server = createServer((request, response) => {
    switch (request.url) {
      case '/std':
        return stdDemo(request, response);
      case '/pipe':
      case '/shout':
        return pipeDemo(request, response);
      case '/':
        request.url = '/index.html';
    }
    connectApp(request, response);
  });

  configureServer(server);
  return server;
}

if (require.main === module) listen(createDemo());
