import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import fastify, { type FastifyInstance } from 'fastify';
import { createApp, start } from '../../demo/frameworks/fastify';
import plugin from '../../lib/integrations/fastify';
import { createCertificate } from '../support/certificate';
import { itKeepsTheContract, nextMessage, type Running } from './contract';
import { Visitor } from './visitor';

const certificate = createCertificate();

async function listening(app: FastifyInstance): Promise<AsyncDisposable & { readonly visitor: Visitor }> {
  await app.listen({ port: 0 });
  const port = (app.server.address() as AddressInfo).port;
  return { visitor: new Visitor({ port }), [Symbol.asyncDispose]: () => app.close() };
}

async function startHttp2(): Promise<Running> {
  const app = fastify({ http2: true, https: { ...certificate, allowHTTP1: true } }) as unknown as FastifyInstance;
  await createApp(app);
  // One address: for the others Fastify makes servers of its own, which pass on what arrives over HTTP/1.1 only.
  await app.listen({ port: 0, host: '::' });
  return { port: (app.server.address() as AddressInfo).port, ca: certificate.cert, close: () => app.close() };
}

describe('Fastify', () => {
  describe('over HTTP/1.1', () => itKeepsTheContract(() => start(0)));
  describe('over HTTP/2', () => itKeepsTheContract(startHttp2));

  it('runs all hooks of a request before the 101, and onResponse with it', async () => {
    const hooks: string[] = [];
    const app = fastify();
    await app.register(plugin);
    for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const)
      app.addHook(name as 'onRequest', async () => void hooks.push(name));
    app.addHook('onSend', async (_, reply) => void hooks.push(`onSend ${reply.statusCode}`));
    app.addHook('onResponse', async (_, reply) => void hooks.push(`onResponse ${reply.statusCode}`));
    app.get('/', { webSocket: true }, (ws) => {
      hooks.push('handler');
      ws.pipe(ws);
    });
    await using server = await listening(app);
    const ws = server.visitor.open('/');
    ws.write('hello');
    expect(await nextMessage(ws)).to.equal('hello');
    expect(hooks).to.have.ordered.members([
      ...['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend 101', 'handler', 'onResponse 101'],
    ]);
    ws.end();
    await ws.whenClosed();
  });

  it('refuses by its validation, with its own error', async () => {
    const app = fastify();
    await app.register(plugin);
    const schema = { querystring: { type: 'object', properties: { from: { type: 'integer' } } } };
    app.get('/', { webSocket: true, schema }, (ws) => ws.end());
    await using server = await listening(app);
    const { statusCode, body } = await server.visitor.refusal('/?from=now');
    expect(statusCode).to.equal(400);
    expect(JSON.parse(String(body))).to.include({ code: 'FST_ERR_VALIDATION' });
  });

  it('answers with the error of an onSend hook', async () => {
    const app = fastify();
    await app.register(plugin);
    app.addHook('onSend', async (_, reply) => {
      if (reply.statusCode < 300) throw new Error('The store of the sessions is away');
    });
    app.get('/', { webSocket: true }, (ws) => ws.end());
    await using server = await listening(app);
    const { statusCode, body } = await server.visitor.refusal('/');
    expect(statusCode).to.equal(500);
    expect(JSON.parse(String(body))).to.include({ message: 'The store of the sessions is away' });
  });

  it('accepts with the options of a route, and counts on app.webSocketServer', async () => {
    const app = fastify();
    await app.register(plugin);
    app.get('/', { webSocket: { protocol: 'chat', headers: { 'X-Room': 'lobby' } } }, (ws) => ws.pipe(ws));
    await using server = await listening(app);
    const { headers } = await server.visitor.acceptance('/');
    expect(headers).to.include({ 'x-room': 'lobby' });
    const ws = server.visitor.open('/');
    await once(ws, 'open');
    expect(app.webSocketServer.counters.opened).to.equal(2);
    ws.resume().end();
    await ws.whenClosed();
  });

  it('has its handler in the options of app.route() and app.get() as well, typed', async () => {
    const app = fastify();
    await app.register(plugin);
    app.route<{ Params: { room: string } }>({
      method: 'GET',
      url: '/route/:room',
      webSocket: true,
      preHandler: async (request) => request.params.room satisfies string,
      handler(ws, request) {
        ws.end(`${request.params.room} of ${this === app}`);
      },
    });
    app.get<{ Querystring: { name: string } }>('/get', {
      webSocket: { protocol: 'chat' },
      handler: (ws, { query }) => ws.end(query.name),
    });
    // Other routes have Fastify's own handler.
    app.route({ method: 'GET', url: '/', handler: async (request, reply) => reply.send(request.url) });
    // @ts-expect-error webSocket takes true or the options of connect()
    app.route({ method: 'GET', url: '/typed', webSocket: 'yes', handler: () => {} });
    await using server = await listening(app);
    for (const [path, answer] of [
      ['/route/lobby', 'lobby of true'],
      ['/get?name=ann', 'ann'],
    ] as const)
      expect(await server.visitor.open(path).toArray()).to.deep.equal([answer]);
    expect(await server.visitor.ask('GET', '/')).to.include({ status: 200, body: '/' });
  });

  it('refuses a wrong option of the plugin when it starts', async () => {
    const app = fastify();
    app.register(plugin, { maxPayload: 1 } as object);
    await expectRejection(app.ready(), /did you mean maxMessageSize/);
    await app.close();
  });
});

async function expectRejection(promise: PromiseLike<unknown>, message: RegExp): Promise<void> {
  const error = await Promise.resolve(promise).then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error?.message).to.match(message);
}
