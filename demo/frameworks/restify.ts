import session from 'express-session';
import restify, { type Next, type Request, type Response } from 'restify';
import errors from 'restify-errors';
import { configureServer, type WebSocket } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

type WithSession = Request & { session: { user?: string } };

/** Everything before the handler runs before the 101. After it, next(false) ends the chain. */
function webSocket(handler: (ws: WebSocket, request: WithSession) => unknown) {
  return (request: Request, response: Response, next: Next) => {
    if (!response.webSocket) {
      response.send(426, { message: 'This endpoint speaks WebSocket' }, { Upgrade: 'websocket' });
      return next(false);
    }
    handler(response.webSocket.connect(), request as WithSession);
    next(false);
  };
}

function loggedIn(request: Request, _response: Response, next: Next): void {
  if ((request as WithSession).session.user !== undefined) next();
  else next(new errors.UnauthorizedError('Log in first'));
}

/** @param framework Restify 11, or 12 */
export function createApp(framework = restify) {
  const app = framework.createServer({ name: 'example' });
  app.use(session({ secret: 'a secret', resave: false, saveUninitialized: false }) as never);

  app.get('/', (_request, response, next) => {
    response.sendRaw(200, 'hello');
    next();
  });
  app.post('/login', (request, response, next) => {
    (request as WithSession).session.user = 'ann';
    response.send(204);
    next();
  });
  app.get(
    '/chat/:room',
    loggedIn,
    (request, response, next) => {
      response.setHeader('Set-Cookie', `room=${request.params.room}`);
      next();
    },
    webSocket((ws, { session, params }) => {
      ws.write(`${session.user} is in ${params.room}`);
      ws.pipe(ws);
    }),
  );
  app.get(
    '/api/echo',
    webSocket((ws) => ws.pipe(ws)),
  );
  // Restify knows nothing of errors that come after next(false): the handler ends its WebSocket with 1011 itself.
  app.get(
    '/api/broken',
    webSocket((ws) => ws.once('message', () => ws.destroy())),
  );
  return app;
}

export async function start(port = 4080, framework = restify): Promise<Demo> {
  const { server } = createApp(framework);
  // Restify has an 'upgrade' listener, which does nothing but emit the event anew. The filter says that this is known.
  return await listen(server, configureServer(server, { filter: () => true }), port);
}

if (require.main === module) void runUntilSignal(start);
