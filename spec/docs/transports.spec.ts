import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import * as http2 from 'node:http2';
import { createRequire } from 'node:module';
import { connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as tls from 'node:tls';
import { expect } from 'chai';
import { WebSocketServer, WebSocket as WsShaped } from '../../lib/adapters/ws';
import { configureServer, connect, type WebSocketServer as Handle, type WebSocket } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { expressLike, nextMessage, RecordingConsole } from './stage';

const certificate = createCertificate();
const options = { ca: certificate.cert };

/** A server for HTTP/2 and HTTP/1.1 with an echo. */
async function secureServer(): Promise<{
  readonly server: http2.Http2SecureServer;
  readonly handle: Handle;
  readonly port: number;
}> {
  const server = http2.createSecureServer({ ...certificate, allowHTTP1: true }, (_req, res) => {
    const ws = res.webSocket?.connect();
    ws?.pipe(ws);
  });
  const handle = configureServer(server);
  server.listen(0);
  await once(server, 'listening');
  return { server, handle, port: (server.address() as { port: number }).port };
}

async function exchange(ws: WebSocket): Promise<void> {
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('hello');
  ws.resume().end();
  await ws.whenClosed();
}

async function serverOfBoth(block: CodeBlock): Promise<void> {
  let handle: Handle | undefined;
  const { server } = await block.run({
    names: {
      ...certificate,
      pipeline,
      console: new RecordingConsole(),
      configureServer: (...given: Parameters<typeof configureServer>) => {
        handle = configureServer(...given);
      },
    },
    returns: ['server'],
  });
  server.listen();
  const url = `wss://localhost:${await block.port()}`;
  for (const http2 of [true, false]) {
    const ws = connect(url, { ...options, http2 });
    await exchange(ws);
    expect(ws.transport).to.equal(http2 ? 'http2' : 'http1');
  }
  server.close();
  await handle?.close();
}

async function windows(block: CodeBlock): Promise<void> {
  const { server } = await block.run({
    names: { ...certificate, createSecureServer: http2.createSecureServer },
    returns: ['server'],
  });
  const settled = once(server, 'session');
  server.listen(0);
  await once(server, 'listening');
  const session = http2.connect(`https://localhost:${server.address().port}`, options);
  const [settings] = await once(session, 'remoteSettings');
  const [atServer] = await settled;
  expect(settings.initialWindowSize).to.equal(1024 * 1024);
  expect(atServer.state.localWindowSize).to.equal(1024 * 1024);
  session.close();
  server.close();
  await once(server, 'close');
}

async function stops(block: CodeBlock): Promise<void> {
  const { server, handle, port } = await secureServer();
  const signals: Record<string, () => Promise<void>> = {};
  const process = {
    once: (name: string, listener: () => Promise<void>) => {
      signals[name] = listener;
    },
  };
  await block.run({ names: { server, handle, process } });
  const ws = connect(`wss://localhost:${port}`, { ...options, http2: true }).resume();
  await once(ws, 'open');
  // A session without a WebSocket, as a browser keeps it.
  const session = http2.connect(`https://localhost:${port}`, options);
  await once(session, 'remoteSettings');
  const closed = Promise.all([once(server, 'close'), once(session, 'close')]);
  await signals['SIGTERM']?.();
  expect((await ws.whenClosed()).code).to.equal(1001);
  await closed;
}

async function client(block: CodeBlock): Promise<void> {
  const { server, handle, port } = await secureServer();
  const console = new RecordingConsole();
  const { ws } = await block.run({
    names: { console, connect: (url: string, given: object) => connect(url, { ...given, ...options }) },
    returns: ['ws'],
    replace: { 'example.org': `localhost:${port}` },
  });
  expect(await console.next()).to.deep.equal(['http2']);
  await exchange(ws);
  server.close();
  await handle.close();
}

/** Through a proxy that opens tunnels. */
async function throughProxy(block: CodeBlock): Promise<void> {
  const { server, handle, port } = await secureServer();
  const proxy = createHttpServer();
  proxy.on('connect', (_req, near: Socket) => {
    const far = connectSocket(port, 'localhost', () => near.write('HTTP/1.1 200 OK\r\n\r\n'));
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('error', () => other.destroy());
  });
  proxy.listen(0);
  await once(proxy, 'listening');
  const { session, ws } = await block.run({
    names: {
      request,
      once,
      http2: { connect: (url: string, given: object) => http2.connect(url, { ...given, ...options }) },
      tls: { connect: (given: tls.ConnectionOptions) => tls.connect({ ...given, ...options }) },
      connect,
    },
    returns: ['session', 'ws'],
    replace: {
      'proxy.example': 'localhost',
      '3128': String((proxy.address() as { port: number }).port),
      'example.org': 'localhost',
    },
  });
  await exchange(ws);
  expect(ws.transport).to.equal('http2');
  session.close();
  server.close();
  await handle.close();
  proxy.close();
}

describeBlocks('docs/http2.md', {
  'WebSockets over HTTP/2': serverOfBoth,
  Limits: windows,
  'Shutting down': stops,
  Clients: [client, throughProxy],
});

async function wsServer(block: CodeBlock): Promise<void> {
  const { wss, createWebSocketStream } = await block.run({
    names: {},
    returns: ['wss', 'createWebSocketStream'],
    replace: { '8080': '0' },
  });
  if (wss.address() === null) await once(wss, 'listening');
  const ws = new WsShaped(`ws://localhost:${wss.address().port}`);
  await once(ws, 'open');
  ws.send('hello');
  const [data, isBinary] = await once(ws, 'message');
  expect([String(data), isBinary, typeof createWebSocketStream]).to.deep.equal(['hello', false, 'function']);
  ws.close();
  await once(ws, 'close');
  await new Promise((resolve) => wss.close(resolve));
}

/** The folder that replaces ws is the one that the specs of other programs use. */
function override({ code }: CodeBlock): void {
  const { dependencies, overrides } = createRequire(__filename)('../../scripts/adapted/package.json');
  const { dependencies: own, overrides: ownOverrides } = JSON.parse(code);
  expect([own.ws, ownOverrides.ws]).to.deep.equal([dependencies.ws, overrides.ws]);
}

async function replacement(block: CodeBlock): Promise<void> {
  const module = { exports: {} };
  await block.run({ names: { module } });
  expect(module.exports).to.equal(require(join(__dirname, '../../lib/adapters/ws')));
}

async function oneRoute(block: CodeBlock): Promise<void> {
  const { app, server } = await expressLike();
  await block.run({
    names: {
      app,
      requireLogin: (_req: unknown, _res: unknown, next: () => void) => next(),
      WebSocket: WsShaped,
      chat: (socket: WsShaped) => socket.on('message', (data) => socket.send(`you said ${data}`)),
    },
  });
  const ws = connect(`ws://localhost:${server.port}/chat`);
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('you said hello');
  ws.resume().end();
  await ws.whenClosed();
  await server[Symbol.asyncDispose]();
}

async function engine(block: CodeBlock): Promise<void> {
  const { wsEngine } = await block.run({ names: { WebSocketServer }, returns: ['wsEngine'] });
  const wss = new wsEngine({ port: 0 });
  await once(wss, 'listening');
  const url = `ws://localhost:${wss.address().port}`;
  const ws = connect(url, { origin: 'https://app.example', headers: { Cookie: 'a=1' } }).resume();
  await once(ws, 'open');
  ws.end();
  await ws.whenClosed();
  const [error] = await once(connect(url, { origin: 'https://evil.example' }).resume(), 'error');
  expect(error.statusCode).to.equal(403);
  await new Promise((resolve) => wss.close(resolve));
}

describeBlocks('docs/from-ws.md', {
  'Coming from ws': wsServer,
  'For a library that imports ws itself': [override, replacement],
  'Move on, one route at a time': oneRoute,
  WebSocketServer: engine,
});

describeBlocks('docs/runtimes.md', {
  'Bun and Deno': async (block) => {
    const values = await block.run({ returns: ['createServer', 'configureServer', 'connect'] });
    expect(Object.values(values).map((value) => typeof value)).to.deep.equal(['function', 'function', 'function']);
  },
  'TypeScript without a build': async (block) => {
    const { configureServer: imported } = await block.run({ returns: ['configureServer'] });
    expect(imported).to.equal(configureServer);
  },
  // `npm run runners` runs tests with these under each of the runners.
  'Test runners and fake timers': async (block) => {
    const calls: unknown[][] = [];
    const record = (...given: unknown[]) => calls.push(given);
    const timers = { useFakeTimers: record };
    await block.run({ names: { jest: timers, vi: timers, mock: { timers: { enable: record } } } });
    expect(calls.map(({ length }) => length)).to.deep.equal([1, 0, 1]);
  },
});
