import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import {
  configureServer,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  type ServerOptions,
  type WebSocket,
  type WebSocketServer,
} from '../../lib/webSocketHandler';
import type { Closing } from './peers';
import { greet, maxMessageSize } from './startable';

/** Our own server, over whatever protocols: for peers that are programs. */
export interface OurServer extends AsyncDisposable {
  readonly port: number;
  readonly handle: WebSocketServer;
  /** The HTTP/2 sessions so far. */
  readonly sessions: readonly ServerHttp2Session[];
}

export type Listener = (request: HttpRequest, response: HttpResponse) => void;

/** @param server of `http`, `https` or `http2` */
export async function serveOurs(
  server: NetServer & HttpServer,
  listener: Listener,
  options: ServerOptions = {},
): Promise<OurServer> {
  const sockets = new Set<Socket>();
  const sessions: ServerHttp2Session[] = [];
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => sessions.push(session));
  server.on('request', listener);
  const handle = configureServer(server, { maxMessageSize, ...options });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    handle,
    sessions,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await handle.close({ timeout: 100 });
      // A browser or a proxy keeps connections for later.
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Echoes, as every server of `servers.ts` does. On `/transport` it first sends the name of what carries it, on `/via` what proxies say
 * of themselves; an ordinary request is told the version of HTTP that it came with.
 */
export function echoListener(report: (path: string, closing: Closing) => void = () => {}): Listener {
  return ({ url: path = '', headers, httpVersion }, response) => {
    const ws = response.webSocket;
    if (ws === undefined) return void (response as ServerResponse).end(`HTTP/${httpVersion}\n`);
    ws.connect();
    ws.on('message', (message) => ws.write(message));
    void ws.whenClosed().then(({ code, reason }: Closing) => report(path, { code, reason }));
    if (path === '/transport') ws.write(String(ws.transport));
    if (path === '/via') ws.write(String(headers.via));
    greetOver(ws, path);
  };
}

function greetOver(ws: WebSocket, path: string): void {
  greet(path, {
    send: (message) => ws.write(message),
    close: (code, reason) => ws.close(code, reason),
    ping(payload, ponged) {
      ws.once('pong', (bytes) => ponged(bytes.toString()));
      void ws.ping(payload);
    },
  });
}
