import type { AddressInfo } from 'node:net';
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import plugin from '../../lib/integrations/fastify';
import { type Demo, runUntilSignal } from './demo';

declare module 'fastify' {
  interface Session {
    user?: string;
  }
}

class Unauthorized extends Error {
  readonly statusCode = 401;
}

async function login(request: FastifyRequest): Promise<void> {
  if (request.session.user === undefined) throw new Unauthorized('Log in first');
}

/** Routes of a plugin of their own, which is mounted under a prefix. */
async function api(app: FastifyInstance): Promise<void> {
  app.get('/echo', { webSocket: true }, (ws) => ws.pipe(ws));

  // The WebSocket ends with 1011, and the error is in the log.
  app.get('/broken', { webSocket: true }, async (ws) => {
    for await (const _ of ws) throw new Error('A mistake in a handler');
  });
}

export async function createApp(app: FastifyInstance): Promise<FastifyInstance> {
  // First the plugin, then the routes.
  await app.register(plugin, { maxMessageSize: 64 * 1024 });
  await app.register(cookie);
  await app.register(session, { secret: 'a secret of at least 32 characters', cookie: { secure: false } });

  app.get('/', async () => 'hello');

  app.post('/login', async (request, reply) => {
    request.session.user = 'ann';
    return reply.code(204).send();
  });

  app.get<{ Params: { room: string } }>(
    '/chat/:room',
    {
      webSocket: true,
      preHandler: login,
      schema: { params: { type: 'object', properties: { room: { type: 'string', maxLength: 20 } } } },
      onSend: async (request, reply) => {
        reply.setCookie('room', (request.params as { room: string }).room);
      },
    },
    (ws, request) => {
      ws.write(`${request.session.user} is in ${request.params.room}`);
      ws.pipe(ws);
    },
  );

  await app.register(api, { prefix: '/api' });
  return app;
}

export async function start(port = 4080): Promise<Demo> {
  const app = await createApp(fastify());
  await app.listen({ port });
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() };
}

if (require.main === module) void runUntilSignal(start);
