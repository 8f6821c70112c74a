import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import session from 'express-session';
import polka from 'polka';
import { configureServer, type WebSocket } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

type Request = IncomingMessage & { params: Record<string, string>; session: { user?: string } };
type Next = (error?: Error) => void;

function answer(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ message }));
}

/** Everything before the handler runs before the 101. */
function webSocket(handler: (ws: WebSocket, request: Request) => unknown) {
  return (request: unknown, response: ServerResponse) => {
    if (response.webSocket) handler(response.webSocket.connect(), request as Request);
    else answer(response, 426, 'This endpoint speaks WebSocket');
  };
}

function loggedIn(request: unknown, response: ServerResponse, next: Next): void {
  if ((request as Request).session.user !== undefined) return next();
  answer(response, 401, 'Log in first');
}

/** A part of the application, which is mounted under a prefix. */
const api = polka()
  .get(
    '/echo',
    webSocket((ws) => ws.pipe(ws)),
  )
  // Polka gives the last handler of a route no next(): the handler ends its WebSocket with 1011 itself.
  .get(
    '/broken',
    webSocket((ws) => ws.once('message', () => ws.destroy())),
  );

export function createApp() {
  const app = polka({
    // Polka calls it for a route that it does not have as well, with the code 404.
    onError(error, _request, response) {
      const { code = 500, message = 'Not found' } = error as { code?: number; message?: string };
      answer(response, code, message);
    },
  });
  app.use(session({ secret: 'a secret', resave: false, saveUninitialized: false }) as never);
  app.get('/', (_request, response) => response.end('hello'));
  app.post('/login', (request, response) => {
    (request as unknown as Request).session.user = 'ann';
    response.statusCode = 204;
    response.end();
  });
  app.get(
    '/chat/:room',
    loggedIn as never,
    ((request: Request, response: ServerResponse, next: Next) => {
      response.setHeader('Set-Cookie', `room=${request.params['room']}`);
      next();
    }) as never,
    webSocket((ws, { session, params }) => {
      ws.write(`${session.user} is in ${params['room']}`);
      ws.pipe(ws);
    }),
  );
  app.use('/api', api as never);
  return app;
}

export async function start(port = 4080): Promise<Demo> {
  const server = createServer(createApp().handler as never);
  return await listen(server, configureServer(server), port);
}

if (require.main === module) void runUntilSignal(start);
