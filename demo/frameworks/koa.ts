import { createServer, type Server } from 'node:http';
import Router from '@koa/router';
import Koa from 'koa';
import session from 'koa-session';
import webSocket from '../../lib/integrations/koa';
import { configureServer } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

/** A part of the application, which is mounted under a prefix. */
const api = new Router();

api.get(
  '/echo',
  webSocket((ws) => ws.pipe(ws)),
);

// The WebSocket ends with 1011, and the application gets an 'error'.
api.get(
  '/broken',
  webSocket(async (ws) => {
    for await (const _ of ws) throw new Error('A mistake in a handler');
  }),
);

export function createApp(): Koa {
  const app = new Koa();
  app.keys = ['a secret'];

  // Errors in JSON.
  app.use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const { status = 500, headers = {}, message } = error as { status?: number; headers?: object; message: string };
      ctx.status = status;
      ctx.set(headers as Record<string, string>);
      ctx.body = { message };
    }
  });
  app.use(session(app));

  const router = new Router();
  router.get('/', (ctx) => {
    ctx.body = 'hello';
  });
  router.post('/login', (ctx) => {
    Object.assign(ctx.session ?? {}, { user: 'ann', rooms: 0 });
    ctx.status = 204;
  });
  router.get(
    '/chat/:room',
    (ctx, next) => {
      if (ctx.session?.user === undefined) ctx.throw(401, 'Log in first');
      // The session has changed: its cookie goes out with the 101.
      ctx.session.rooms++;
      ctx.cookies.set('room', ctx.params.room);
      return next();
    },
    webSocket((ws, ctx) => {
      ws.write(`${ctx.session?.user} is in ${ctx.params.room}`);
      ws.pipe(ws);
    }),
  );
  router.use('/api', api.routes());
  app.use(router.routes());
  return app;
}

export async function start(port = 4080, server: Server = createServer()): Promise<Demo> {
  const app = createApp();
  app.on('error', ({ message }: Error) => console.error(message));
  server.on('request', app.callback());
  return await listen(server, configureServer(server), port);
}

if (require.main === module) void runUntilSignal(start);
