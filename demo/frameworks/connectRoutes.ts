import type { IncomingMessage, ServerResponse } from 'node:http';
import session from 'express-session';

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
type WithSession = IncomingMessage & { session: { user?: string } };

/**
 * Middleware of Connect with the path that each is for: for the development servers of Vite and webpack, which both take such. The path is
 * not in `request.url` any more when a middleware is called.
 */
export function connectRoutes(): readonly (readonly [path: string, middleware: Middleware])[] {
  return [
    ['/', session({ secret: 'a secret', resave: false, saveUninitialized: false }) as unknown as Middleware],
    ['/login', login],
    ['/chat', chat],
    ['/echo', echo],
  ];
}

const login: Middleware = (request, response) => {
  (request as WithSession).session.user = 'ann';
  response.writeHead(204).end();
};

const chat: Middleware = (request, response, next) => {
  if (!response.webSocket) return next();
  const { user } = (request as WithSession).session;
  if (user === undefined) {
    response.writeHead(401, { 'Content-Type': 'application/json' }).end(JSON.stringify({ message: 'Log in first' }));
    return;
  }
  const room = request.url?.slice(1);
  response.setHeader('Set-Cookie', `room=${room}`);
  const ws = response.webSocket.connect();
  ws.write(`${user} is in ${room}`);
  ws.pipe(ws);
};

const echo: Middleware = (_request, response, next) => {
  const ws = response.webSocket?.connect();
  if (ws) ws.pipe(ws);
  else next();
};
