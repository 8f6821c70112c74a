import { createServer } from 'node:http';
import compression from 'compression';
import cors from 'cors';
import express, { type ErrorRequestHandler, type NextFunction, type Request, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import session, { type SessionData } from 'express-session';
import helmet from 'helmet';
import morgan from 'morgan';
import passport from 'passport';
import { configureServer, type WebSocket } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

declare global {
  namespace Express {
    interface User {
      name: string;
    }
  }
}

/** A store that takes its time, as one across a network does. */
class SlowStore extends session.MemoryStore {
  override get(id: string, callback: (error: unknown, data?: SessionData | null) => void): void {
    setTimeout(() => super.get(id, callback), 5);
  }

  override set(id: string, data: SessionData, callback?: (error?: unknown) => void): void {
    setTimeout(() => super.set(id, data, callback), 5);
  }
}

/** Everything before the handler runs before the 101. */
function webSocket(handler: (ws: WebSocket, request: Request, next: NextFunction) => unknown): RequestHandler {
  return (request, response, next) => {
    if (response.webSocket) handler(response.webSocket.connect(), request, next);
    else response.status(426).set('Upgrade', 'websocket').json({ message: 'This endpoint speaks WebSocket' });
  };
}

const loggedIn: RequestHandler = (request, _response, next) => {
  if (request.isAuthenticated()) next();
  else next(Object.assign(new Error('Log in first'), { status: 401 }));
};

/** As the documentation of Express has it: an error that comes too late for an answer is left to Express. */
const answerError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) next(error);
  else response.status(error.status ?? 500).json({ message: error.message });
};

/**
 * @param framework Express 5, or 4
 * @param log gets the lines of the access log
 */
export function createApp(framework: typeof express = express, log = (line: string) => console.log(line.trim())) {
  const app = framework();
  // Express prints errors otherwise.
  app.set('env', 'test');
  app.use(morgan('tiny', { stream: { write: log } }));
  app.use(helmet());
  app.use(compression());
  app.use(cors({ origin: 'https://app.example', credentials: true }));
  app.use(session({ secret: 'a secret', resave: false, saveUninitialized: false, store: new SlowStore() }));
  const users = new passport.Passport();
  users.serializeUser((user, done) => done(null, user.name));
  users.deserializeUser((name: string, done) => done(null, { name }));
  app.use(users.session() as RequestHandler);

  app.get('/', (_request, response) => void response.send('hello'));
  app.post('/login', (request, response, next) => {
    request.login({ name: 'ann' }, (error) => (error ? next(error) : response.sendStatus(204)));
  });
  app.get(
    '/chat/:room',
    loggedIn,
    (request, response, next) => {
      response.cookie('room', request.params.room);
      next();
    },
    webSocket((ws, request) => {
      ws.write(`${request.user?.name} is in ${request.params.room}`);
      ws.pipe(ws);
    }),
  );

  /** A part of the application, which is mounted under a prefix. */
  const api = framework.Router();
  api.use(rateLimit({ limit: 3, windowMs: 60_000, standardHeaders: 'draft-8', legacyHeaders: false }));
  api.get(
    '/echo',
    webSocket((ws) => ws.pipe(ws)),
  );
  // The WebSocket ends with 1011. Express 5 calls next() with what an async handler throws.
  api.get(
    '/broken',
    webSocket((ws, _request, next) => ws.once('message', () => next(new Error('A mistake in a handler')))),
  );
  app.use('/api', api);

  app.use(answerError);
  return app;
}

export async function start(port = 4080, app = createApp()): Promise<Demo> {
  const server = createServer(app);
  return await listen(server, configureServer(server), port);
}

if (require.main === module) void runUntilSignal(start);
