import Hapi, { type Lifecycle, type ReqRef, type Request, type Server } from '@hapi/hapi';
import { configureServer, type WebSocket } from '../../lib/webSocketHandler';
import { type Demo, runUntilSignal } from './demo';

/** Everything before the handler runs before the 101. After it, `h.abandon` tells Hapi that the response is taken care of. */
function webSocket(handler: (ws: WebSocket, request: Request) => unknown): Lifecycle.Method<ReqRef> {
  return (request, h) => {
    const { webSocket: ws } = request.raw.res;
    if (ws === undefined) return h.response({ message: 'This endpoint speaks WebSocket' }).code(426);
    handler(ws.connect(), request as Request);
    return h.abandon;
  };
}

function loggedIn(request: Request, h: Hapi.ResponseToolkit) {
  if (request.state['user'] !== undefined) return h.continue;
  return h.response({ message: 'Log in first' }).code(401).takeover();
}

/** A part of the application, which is mounted under a prefix. */
const api = {
  name: 'api',
  register(server: Server) {
    server.route({ method: 'GET', path: '/echo', handler: webSocket((ws) => ws.pipe(ws)) });
    // Hapi knows nothing of errors after `h.abandon`: the handler ends its WebSocket with 1011 itself.
    server.route({
      method: 'GET',
      path: '/broken',
      handler: webSocket((ws) => ws.once('message', () => ws.destroy())),
    });
  },
};

export async function createApp(port = 4080): Promise<Server> {
  const server = Hapi.server({ port });
  const handle = configureServer(server.listener);
  server.ext('onPreStop', async () => void (await handle.close()));
  server.state('user', {
    isHttpOnly: true,
    isSecure: false,
    password: 'a secret of at least 32 characters',
    encoding: 'iron',
  });

  server.route({ method: 'GET', path: '/', handler: () => 'hello' });
  server.route({ method: 'POST', path: '/login', handler: (_, h) => h.response().code(204).state('user', 'ann') });
  server.route({
    method: 'GET',
    path: '/chat/{room}',
    options: { pre: [loggedIn as never] },
    handler: webSocket((ws, request) => {
      ws.write(`${request.state['user']} is in ${request.params['room']}`);
      ws.pipe(ws);
    }),
  });
  // What h.state() sets belongs to a response of Hapi; header fields for the 101 are set on the response of Node.
  server.ext('onPreHandler', ({ raw, params }, h) => {
    if (params['room'] !== undefined) raw.res.setHeader('Set-Cookie', `room=${params['room']}`);
    return h.continue;
  });
  await server.register(api, { routes: { prefix: '/api' } });
  return server;
}

export async function start(port = 4080): Promise<Demo> {
  const server = await createApp(port);
  await server.start();
  return { port: Number(server.info.port), close: () => server.stop() };
}

if (require.main === module) void runUntilSignal(start);
