import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { getSignedCookie, setCookie, setSignedCookie } from 'hono/cookie';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import webSocket from '../../lib/integrations/hono';
import { configureServer } from '../../lib/webSocketHandler';
import { type Demo, listen, runUntilSignal } from './demo';

const secret = 'a secret';

/** A part of the application, which is mounted under a prefix. */
const api = new Hono()
  .get(
    '/echo',
    webSocket((ws) => ws.pipe(ws)),
  )
  // The WebSocket ends with 1011, and the error is printed.
  .get(
    '/broken',
    webSocket(async (ws) => {
      for await (const _ of ws) throw new Error('A mistake in a handler');
    }),
  );

export function createApp() {
  const app = new Hono<{ Variables: { user: string } }>();
  app.use(cors({ origin: 'https://app.example', credentials: true }));
  app.onError((error, c) => c.json({ message: error.message }, error instanceof HTTPException ? error.status : 500));

  app.get('/', (c) => c.text('hello'));
  app.post('/login', async (c) => {
    await setSignedCookie(c, 'user', 'ann', secret);
    return c.body(null, 204);
  });
  app.use('/chat/*', async (c, next) => {
    const user = await getSignedCookie(c, secret, 'user');
    if (user === undefined || user === false) throw new HTTPException(401, { message: 'Log in first' });
    c.set('user', user);
    await next();
    // As with every response, it is not too late for header fields.
    c.header('X-User', user);
  });
  app.get(
    '/chat/:room',
    (c, next) => {
      setCookie(c, 'room', c.req.param('room'));
      return next();
    },
    webSocket((ws, c) => {
      ws.write(`${c.get('user')} is in ${c.req.param('room')}`);
      ws.pipe(ws);
    }),
  );
  app.route('/api', api);
  return app;
}

export async function start(port = 4080, server: Server = createServer()): Promise<Demo> {
  server.on('request', getRequestListener(createApp().fetch));
  return await listen(server, configureServer(server), port);
}

if (require.main === module) void runUntilSignal(start);
