import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import fastify, { type FastifyInstance } from 'fastify';
import { createApp, start } from '../../demo/frameworks/fastify';
import plugin from '../../lib/integrations/fastify';
import { createCertificate } from '../support/certificate';
import { thrownBy } from '../support/thrown';
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
    thrownBy(() =>
      // @ts-expect-error webSocket takes true or the options of connect()
      app.route({ method: 'GET', url: '/typed', webSocket: 'yes', handler: () => {} }),
    );
    await using server = await listening(app);
    for (const [path, answer] of [
      ['/route/lobby', 'lobby of true'],
      ['/get?name=ann', 'ann'],
    ] as const)
      expect(await server.visitor.open(path).toArray()).to.deep.equal([answer]);
    expect(await server.visitor.ask('GET', '/')).to.include({ status: 200, body: '/' });
  });

  it('refuses wrong options of a route when the route is added, with the error of connect()', async () => {
    const app = fastify();
    await app.register(plugin);
    for (const [wrong, message] of [
      [{ webSocket: { maxPayload: 1 } }, /unknown option maxPayload; did you mean maxMessageSize\?$/],
      [{ webSocket: { protocol: 7 } }, /option protocol must be the name of a subprotocol \(a token\), not 7$/],
      [{ webSocket: false }, /option webSocket of a route must be true or an object .*, not false$/],
      [{ webSocket: 'yes' }, /option webSocket of a route must be true or an object .*, not 'yes'$/],
      [{ websocket: true }, /unknown option websocket of a route; did you mean webSocket\?$/],
    ] as const) {
      const error = thrownBy(() => app.get('/', wrong as object, () => {}));
      expect(error).to.include({ code: 'WS_ERR_INVALID_ARGUMENT' }).and.have.property('message').that.matches(message);
    }
    await app.close();
  });

  it('leaves routes with { websocket: true } to @fastify/websocket, if that is registered as well', async () => {
    const app = fastify();
    // What that package adds to an instance, and by which its own plugins look for it.
    app.decorate('websocketServer', {});
    await app.register(plugin);
    app.get('/', { websocket: true } as object, async () => 'its own');
    expect((await app.inject('/')).body).to.equal('its own');
    await app.close();
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
