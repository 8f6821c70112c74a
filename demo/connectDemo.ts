import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import connect from 'connect';
import morgan from 'morgan';
import Router from 'router';
import serveFavicon from 'serve-favicon';
import serveStatic from 'serve-static';
import { configureServer, type WebSocket } from '../lib/webSocketHandler';
import { listen } from './listen';

const publicFolder = join(__dirname, 'public');

function echo(ws: WebSocket): void {
  ws.on('message', (body, { binary }) => {
    console.log('Got message: %O', body);
    if (binary) ws.sendBinaryMessage(body);
    else ws.sendTextMessage(body);
  });

  // Accept the request.
  ws.connect();
}

/** A WebSocket request passes through the favicon, the access log, the files and the router, as every request does. */
export function createConnectApp(): connect.Server {
  const router = Router();

  router.get('/echoserver', (_request, response) => {
    const ws = response.webSocket;
    if (ws) return echo(ws);

    response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade', 'Content-Type': 'text/plain' });
    response.end('We only speak WebSockets here\n');
  });

  const app = connect();
  app.use(serveFavicon(join(publicFolder, 'favicon.ico')) as connect.NextHandleFunction);
  app.use(morgan('dev'));
  app.use(serveStatic(publicFolder, { index: 'echotest.html' }));
  app.use(router);
  return app;
}

export function createConnectDemo(): Server {
  const server = createServer(createConnectApp());
  configureServer(server);
  return server;
}

if (require.main === module) listen(createConnectDemo());
