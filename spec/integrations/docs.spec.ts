import { EventEmitter, once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import 'reflect-metadata';
import { expect } from 'chai';
import { BroadcastStream, configureServer, connect, createPair, type WebSocket } from '../../lib/webSocketHandler';
import { nextMessage, RecordingConsole } from '../docs/stage';
import type { CodeBlock, Declared } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';

const installed = createRequire(join(__dirname, '../../demo/frameworks/package.json'));

/** What an application does with a WebSocket of a room. */
function chat(ws: WebSocket, room: string): void {
  ws.on('message', (text) => ws.write(`${room}: ${text}`));
}

/** Opens a WebSocket at a path, and expects the answer of `chat()` or of an echo. Closes what it is given. */
async function visit(port: number, path: string, answer = 'lobby: hello'): Promise<void> {
  const ws = connect(`ws://localhost:${port}${path}`);
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal(answer);
  ws.resume().end();
  await ws.whenClosed();
}

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

async function listening(server: Server): Promise<Server> {
  if (!server.listening) await once(server, 'listening');
  return server;
}

async function close({ server, handle }: Declared): Promise<void> {
  server.close();
  await handle.close();
}

/** Middleware of the application, in the form of Express. */
const passes = (_req: unknown, _res: unknown, next: () => void) => next();

async function express(block: CodeBlock): Promise<void> {
  const names = { session: () => passes, passport: { session: () => passes }, loggedIn: passes, chat };
  const values = await block.run({ names, returns: ['server', 'handle'] });
  await listening(values['server']);
  await visit(portOf(values['server']), '/chat/lobby');
  const ordinary = await fetch(`http://localhost:${portOf(values['server'])}/chat/lobby`);
  expect(ordinary.status).to.equal(426);
  await close(values);
}

async function fastify(block: CodeBlock): Promise<void> {
  const login = async () => {};
  const { app } = await block.run({ names: { login, chat }, returns: ['app'], replace: { '4080': '0' } });
  await visit(portOf(app.server), '/chat/lobby');
  await app.close();
}

async function nest(block: CodeBlock): Promise<void> {
  const { Controller, Get, Module, Param, UseGuards } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ExpressAdapter } = installed('@nestjs/platform-express');
  class LoginGuard {
    canActivate = () => true;
  }
  const names = { Controller, Get, Module, Param, UseGuards, LoginGuard, chat };
  const { AppModule } = await block.run({ names, returns: ['AppModule'] });
  const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false });
  await app.listen(0);
  await visit(portOf(app.getHttpServer()), '/chat/lobby');
  await app.close();
}

async function koa(block: CodeBlock): Promise<void> {
  const Koa = installed('koa');
  const Router = installed('@koa/router');
  const next = (_ctx: unknown, go: () => Promise<unknown>) => go();
  const names = { app: new Koa(), router: new (Router.default ?? Router)(), session: () => next, login: next, chat };
  const values = await block.run({ names, returns: ['server', 'handle'] });
  await listening(values['server']);
  await visit(portOf(values['server']), '/chat/lobby');
  await close(values);
}

async function hono(block: CodeBlock): Promise<void> {
  const { Hono } = installed('hono');
  const { cors } = installed('hono/cors');
  const login = (_c: unknown, next: () => Promise<unknown>) => next();
  const values = await block.run({
    names: { app: new Hono(), cors, login, chat },
    returns: ['server', 'handle'],
    replace: { 'port: 4080': 'port: 0' },
  });
  await listening(values['server']);
  await visit(portOf(values['server']), '/chat/lobby');
  await close(values);
}

async function hapi(block: CodeBlock): Promise<void> {
  const Hapi = installed('@hapi/hapi');
  const { server } = await block.run({
    // The strategy is the application's.
    names: { Hapi: { server: withSession }, configureServer, chat },
    returns: ['server'],
    replace: { '4080': '0' },
  });
  function withSession(options: object) {
    const made = Hapi.server(options);
    made.auth.scheme('any', () => ({
      authenticate: (_request: unknown, h: Declared) => h['authenticated']({ credentials: {} }),
    }));
    made.auth.strategy('session', 'any');
    return made;
  }
  await server.start();
  await visit(server.info.port, '/chat/lobby');
  await server.stop();
}

async function polka(block: CodeBlock): Promise<void> {
  const names = {
    polka: installed('polka'),
    session: () => passes,
    loggedIn: passes,
    chat,
    createServer,
    configureServer,
  };
  const values = await block.run({ names, returns: ['server', 'handle'], replace: { '4080': '0' } });
  await listening(values['server']);
  await visit(portOf(values['server']), '/chat/lobby');
  await close(values);
}

/**
 * Restify, Next.js, Vite and webpack-dev-server change the whole process or take long to start, so the specs beside this one run them in
 * processes of their own. Here each is replaced by what the block uses of it.
 */
async function restify(block: CodeBlock): Promise<void> {
  let route: ((req: object, res: object, next: (end: unknown) => void) => void) | undefined;
  const server = createServer((req, res) => {
    Object.assign(req, { params: { room: 'lobby' } });
    route?.(req, res, (end) => end instanceof Error && res.writeHead(426).end(end.message));
  });
  const restify = {
    createServer: () => ({
      server,
      get: (_path: string, _guard: unknown, handler: typeof route) => {
        route = handler;
      },
      listen: () => server.listen(0),
    }),
  };
  const errors = { UpgradeRequiredError: Error };
  const names = { restify, errors, loggedIn: passes, chat, configureServer };
  const { handle } = await block.run({ names, returns: ['handle'] });
  await listening(server);
  await visit(portOf(server), '/chat/lobby');
  expect((await fetch(`http://localhost:${portOf(server)}/chat/lobby`)).status).to.equal(426);
  await close({ server, handle });
}

async function next(block: CodeBlock): Promise<void> {
  const application = () => ({
    prepare: async () => {},
    getRequestHandler: () => (_req: IncomingMessage, res: ServerResponse) => res.end('a page'),
  });
  const values = await block.run({
    names: { next: application, dev: false, dir: '.', createServer, configureServer, pipeline },
    returns: ['server', 'handle'],
    replace: { '4080': '0' },
  });
  await listening(values['server']);
  await visit(portOf(values['server']), '/echo', 'hello');
  expect(await (await fetch(`http://localhost:${portOf(values['server'])}/`)).text()).to.equal('a page');
  await close(values);
}

/** A stack of middleware, as of Connect, with a server. */
function stack() {
  const handlers: [string, (req: IncomingMessage, res: ServerResponse, next: () => void) => void][] = [];
  const server = createServer((req, res) => {
    const [, handler] = handlers.find(([path]) => req.url?.startsWith(path)) ?? [];
    if (handler === undefined) res.writeHead(404).end();
    else handler(req, res, () => res.writeHead(404).end());
  });
  return { handlers, server };
}

async function vite(block: CodeBlock): Promise<void> {
  const { handlers, server } = stack();
  const { webSockets } = await block.run({
    names: { pipeline },
    returns: ['webSockets'],
    replace: { 'export default {': 'const config = {' },
  });
  let closed = false;
  const instance = {
    httpServer: server,
    middlewares: { use: (...given: (typeof handlers)[number]) => handlers.push(given) },
    close: async () => {
      closed = true;
      server.close();
    },
  };
  webSockets.configureServer(instance);
  server.listen(0);
  await listening(server);
  await visit(portOf(server), '/echo', 'hello');
  await instance.close();
  expect(closed).to.equal(true);
}

async function webpack(block: CodeBlock): Promise<void> {
  const { handlers, server } = stack();
  class WebpackDevServer {
    constructor(options: Declared) {
      for (const { path, middleware } of options['setupMiddlewares']([])) handlers.push([path, middleware]);
      options['onListening']({ server });
    }
  }
  const state: Declared = {};
  await block.run({
    names: { WebpackDevServer, compiler: {}, configureServer, state, pipeline },
    replace: { 'handle = ': 'state.handle = ' },
  });
  server.listen(0);
  await listening(server);
  await visit(portOf(server), '/echo', 'hello');
  await close({ server, handle: state['handle'] });
}

/** The adapter gets the upgrades for gateways, and no others. */
async function besideGateway(block: CodeBlock): Promise<void> {
  const server = new EventEmitter();
  const seen: unknown[] = [];
  class WsAdapter {
    constructor(upgrades: EventEmitter) {
      upgrades.on('upgrade', ({ url }, ...rest) => seen.push([url, ...rest]));
    }
  }
  const app = { getHttpServer: () => server, useWebSocketAdapter: (adapter: unknown) => seen.push(adapter) };
  await block.run({ names: { EventEmitter, app, WsAdapter } });
  server.emit('upgrade', { url: '/chat' }, 'socket', 'head');
  server.emit('upgrade', { url: '/gateway' }, 'socket', 'head');
  expect(seen[0]).to.be.an.instanceOf(WsAdapter);
  expect(seen.slice(1)).to.deep.equal([['/gateway', 'socket', 'head']]);
}

describeBlocks('docs/frameworks.md', {
  'Beside other WebSocket servers': besideGateway,
  Express: express,
  Fastify: fastify,
  NestJS: nest,
  Koa: koa,
  Hono: hono,
  Hapi: hapi,
  Polka: polka,
  Restify: restify,
  'Next.js': next,
  Vite: vite,
  'webpack-dev-server': webpack,
});

async function bigData(block: CodeBlock): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'coming-'));
  try {
    const file = join(folder, 'bigdata.json');
    await writeFile(file, '{"big":"data"}');
    let handle: ReturnType<typeof configureServer> | undefined;
    const { server } = await block.run({
      names: {
        createServer,
        pipeline,
        createReadStream,
        console: new RecordingConsole(),
        configureServer: (...given: Parameters<typeof configureServer>) => {
          handle = configureServer(...given);
        },
      },
      returns: ['server'],
      replace: { "'bigdata.json'": JSON.stringify(file) },
    });
    server.listen(0);
    await listening(server);
    const ws = connect(`ws://localhost:${portOf(server)}`);
    expect(String(await nextMessage(ws))).to.equal('{"big":"data"}');
    ws.resume();
    await ws.whenClosed();
    await close({ server, handle });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function fromExpressWs(block: CodeBlock): Promise<void> {
  let handle: ReturnType<typeof configureServer> | undefined;
  const { server } = await block.run({
    names: {
      express: installed('express'),
      configureServer: (...given: Parameters<typeof configureServer>) => {
        handle = configureServer(...given);
      },
    },
    returns: ['server'],
    replace: { '3000': '0' },
  });
  await listening(server);
  await visit(portOf(server), '/echo', 'hello');
  await close({ server, handle });
}

async function fromSocketIo(block: CodeBlock): Promise<void> {
  const { join } = await block.run({ names: { BroadcastStream }, returns: ['join'] });
  const [[one, ann], [two, bob]] = [createPair(), createPair()];
  join(one);
  join(two);
  ann.write(JSON.stringify({ id: 7, text: 'hello' }));
  expect(await nextMessage(bob)).to.equal('{"event":"said","text":"hello"}');
  const received: string[] = [];
  ann.on('data', (message) => {
    received.push(String(message));
    if (received.length === 2) ann.end();
  });
  await ann.whenClosed();
  expect(received).to.have.members(['{"event":"said","text":"hello"}', '{"id":7,"reply":"ok"}']);
  bob.resume().end();
  await bob.whenClosed();
}

describeBlocks('docs/coming-from.md', {
  'websocket-stream': bigData,
  'express-ws': fromExpressWs,
  'Socket.IO': fromSocketIo,
});
