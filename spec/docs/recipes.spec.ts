import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as streams from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import split2 from 'split2';
import ts from 'typescript';
import { WebSocket as WsClient } from 'ws';
import {
  BroadcastStream,
  configureServer,
  connect,
  createPair,
  type Message,
  type ServerOptions,
  type WebSocket,
} from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { type CodeBlock, codeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { listen } from '../support/http';
import { runRecipe } from '../support/recipes';
import { expressLike, nextMessage, RecordingConsole, runAbove, runElsewhere, upperCase } from './stage';

const page = 'docs/recipes.md';
const root = join(__dirname, '..', '..');
const urlOf = ({ port }: { readonly port: number }) => `ws://localhost:${port}`;

/** `compose()` is not in the types of Node 20. */
const names = { Transform, compose: (streams as unknown as { compose: unknown }).compose, pipeline, split2 };

const normal = { code: 1000, reason: '', wasClean: true };

async function sessions(block: CodeBlock): Promise<void> {
  const { app, server } = await expressLike();
  try {
    app.use((req, _res, next) => {
      const user = req.headers['user'];
      Object.assign(req, { session: { user, destroy: (done: () => void) => done() } });
      next();
    });
    const served: unknown[] = [];
    const { socketsOf } = await block.run({
      names: { app, feed: (ws: WebSocket, user: string) => ws.write(`feed of ${served.push(user) && user}`) },
      returns: ['socketsOf'],
    });
    const [refused] = await once(connect(`${urlOf(server)}/feed`).resume(), 'error');
    expect(refused.statusCode).to.equal(401);
    const ws = connect(`${urlOf(server)}/feed`, { headers: { user: 'ann' } });
    expect(await nextMessage(ws)).to.equal('feed of ann');
    ws.on('error', () => {}).resume();
    const { status } = await fetch(`http://localhost:${server.port}/logout`, {
      method: 'POST',
      headers: { user: 'ann' },
    });
    expect(status).to.equal(204);
    expect(await ws.whenClosed()).to.include({ code: 4401, reason: 'logged out' });
    while (socketsOf.size > 0) await new Promise(setImmediate);
    expect(served).to.deep.equal(['ann']);
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

const tlsServer = createCertificate();

async function overTls(block: CodeBlock): Promise<void> {
  await block.run({ names: { ...tlsServer, pipeline, configureServer, console: new RecordingConsole() } });
  const ws = connect(`wss://localhost:${await block.port()}`, { ca: tlsServer.cert });
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('hello');
  ws.resume().end();
  await ws.whenClosed();
}

async function tlsClient(block: CodeBlock): Promise<void> {
  const options = { connect: (...given: unknown[]) => given, ca: tlsServer.cert };
  const { ws } = await block.run({ names: options, returns: ['ws'] });
  expect(ws).to.deep.equal(['wss://localhost:8443', { ca: tlsServer.cert }]);
}

async function besideWs(block: CodeBlock): Promise<void> {
  const server = createServer((_req, res) => res.webSocket?.connect().end('ours'));
  let handle: ReturnType<typeof configureServer> | undefined;
  const { wss } = await block.run({
    names: {
      server,
      configureServer: (...given: Parameters<typeof configureServer>) => {
        handle = configureServer(...given);
      },
    },
    returns: ['wss'],
  });
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  expect(await connect(urlOf({ port })).toArray()).to.deep.equal(['ours']);
  const other = new WsClient(`${urlOf({ port })}/old`);
  await once(other, 'open');
  other.send('to ws');
  expect(String((await once(other, 'message'))[0])).to.equal('to ws');
  other.close();
  await once(other, 'close');
  wss.close();
  server.close();
  await handle?.close();
}

async function rooms(block: CodeBlock): Promise<void> {
  const { enter, rooms } = await block.run({ names: { BroadcastStream }, returns: ['enter', 'rooms'] });
  const [[one, ann], [two, bob]] = [createPair(), createPair()];
  enter('lobby', one);
  enter('lobby', two);
  ann.write('hello');
  expect([await nextMessage(ann), await nextMessage(bob)]).to.deep.equal(['hello', 'hello']);
  for (const client of [ann, bob]) {
    client.resume().end();
    await client.whenClosed();
  }
  while (rooms.size > 0) await new Promise(setImmediate);
}

async function slowClient(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  const [ws, peer] = createPair();
  Object.defineProperty(ws, 'request', { value: { url: '/prices' } });
  const source = new Transform({ objectMode: true, transform: (message, _encoding, done) => done(null, message) });
  const { prices } = await block.run({
    names: { BroadcastStream, console, pipeline, ws, source },
    returns: ['prices'],
  });
  const lagging = console.next();
  for (let price = 1; price <= 2000; price++) {
    if (!source.write(JSON.stringify({ symbol: 'A', price, padding: 'x'.repeat(1000) }))) await once(source, 'drain');
  }
  expect(await lagging).to.deep.equal(['slow:', '/prices']);
  peer.on('data', (message) => JSON.parse(String(message)).price === 2000 && peer.end());
  const [again, url, dropped] = await console.next();
  expect([again, url]).to.deep.equal(['again:', '/prices']);
  expect(dropped).to.be.above(0);
  await peer.whenClosed();
  expect(prices.totals.dropped).to.be.at.least(dropped as number);
}

async function connectionsOfAddress(block: CodeBlock): Promise<void> {
  let options: ServerOptions = {};
  await block.run({
    names: { server: undefined, configureServer: (_: unknown, given: ServerOptions) => (options = given) },
  });
  await using server = await listen((_, { webSocket }) => webSocket?.connect().resume(), options);
  const open = Array.from({ length: 20 }, () => connect(urlOf(server)).resume());
  await Promise.all(open.map((ws) => once(ws, 'open')));
  const [error] = await once(connect(urlOf(server)).resume(), 'error');
  expect([error.statusCode, error.headers['retry-after']]).to.deep.equal([429, '10']);
  for (const ws of open) ws.end();
  await Promise.all(open.map((ws) => ws.whenClosed()));
}

async function messagesOfRoute(block: CodeBlock): Promise<void> {
  const waits: number[] = [];
  const [ws, peer] = createPair();
  const answers = peer.toArray();
  for (const message of ['one', 'two', 'three']) peer.write(message);
  peer.end();
  await block.run({
    names: {
      pipeline,
      ws,
      answer: upperCase(),
      wait: (milliseconds: number) => {
        waits.push(milliseconds);
        return Promise.resolve();
      },
    },
    replace: { "import { setTimeout } from 'node:timers/promises';": 'const setTimeout = wait;' },
  });
  expect(await answers).to.deep.equal(['ONE', 'TWO', 'THREE']);
  expect(waits).to.deep.equal([100, 100, 100]);
}

/** Both ends of an upload: the server's block, and the client's. */
async function upload(receiving: CodeBlock): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-'));
  try {
    const [path, source] = [join(folder, 'received'), join(folder, 'sent')];
    await writeFile(source, Buffer.alloc(1024 * 1024, 'upload '));
    let ended: Promise<unknown> | undefined;
    await using server = await listen((_req, res) => {
      ended = receiving.run({ names: { res, pipeline, createWriteStream, path } });
    });
    const console = new RecordingConsole();
    const sending = codeBlock(page, receiving.heading, 1);
    const { ws } = await sending.run({
      names: { connect, url: urlOf(server), console, createReadStream, path: source },
      returns: ['ws'],
    });
    expect(await ws.whenClosed()).to.deep.equal(normal);
    await ended;
    expect(console.lines.at(-1)).to.deep.equal([1024 * 1024]);
    expect((await readFile(path)).equals(await readFile(source))).to.equal(true);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Answers objects by one of the blocks about JSON. */
const json = (index: number) => async () => {
  const [ws, peer] = createPair();
  const running = runRecipe('JSON', index, { ...names, ws });
  const answers = peer.map((message: Message) => JSON.parse(String(message))).toArray();
  peer.write(JSON.stringify({ id: 1, text: 'one' }));
  peer.end(Buffer.from(JSON.stringify({ id: 2, text: 'grün' })));
  expect(await answers).to.deep.equal([
    { id: 1, answer: 'ONE' },
    { id: 2, answer: 'GRÜN' },
  ]);
  expect(await peer.whenClosed()).to.deep.equal(normal);
  await running;
};

async function readsLines(): Promise<void> {
  const [ws, peer] = createPair();
  const lines: string[] = [];
  peer.write('one\ntw');
  peer.write(Buffer.from('o\r\nthr'));
  peer.resume().end('ee');
  await runRecipe('Lines', 0, { ...names, ws, lines });
  expect(lines).to.deep.equal(['one', 'two', 'three']);
}

async function answersLines(): Promise<void> {
  const [ws, peer] = createPair();
  const running = runRecipe('Lines', 1, { ...names, ws });
  const answers = peer.toArray();
  peer.write('one\ntw');
  peer.end('o');
  expect(await answers).to.deep.equal(['ONE\n', 'TWO\n']);
  await running;
  expect(await peer.whenClosed()).to.deep.equal(normal);
}

async function testOfUser(block: CodeBlock): Promise<void> {
  const run: Promise<unknown>[] = [];
  const test = (title: string, body: () => Promise<unknown>) => title && run.push(body());
  const greet = (ws: WebSocket) => ws.on('message', (name) => ws.write(`hello ${name}`));
  await block.run({ names: { test, assert, greet, createPair, once } });
  expect(run).to.have.lengthOf(1);
  await Promise.all(run);
}

/** Compiles the block with the library's own settings for the compiler, and runs it. */
async function typed(block: CodeBlock): Promise<void> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const file = join(root, 'order.ts');
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, block.code, options.target ?? ts.ScriptTarget.ES2022)
      : getSourceFile(name, ...rest);
  const library = { 'node-websocket-handler': [join(root, 'lib/webSocketHandler.ts')] };
  const program = ts.createProgram(
    [file],
    { ...options, noUnusedLocals: false, paths: library, types: ['node'] },
    host,
  );
  const problems = ts.getPreEmitDiagnostics(program, program.getSourceFile(file) as ts.SourceFile);
  expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).to.deep.equal([]);

  const { server } = await block.run({ returns: ['server'] });
  server.listen();
  const ws = connect(urlOf({ port: await block.port() }));
  ws.write('{"id":7}');
  expect(await nextMessage(ws)).to.equal('order 7');
  ws.write('nonsense');
  expect(await nextMessage(ws)).to.equal('order refused');
  ws.resume().end();
  await ws.whenClosed();
}

/** The manifest names the ports and paths of the demo, and leaves it the time that it needs. */
function manifest({ code }: CodeBlock): void {
  const demo = readFileSync(join(root, 'demo/shutdown/kubernetes.ts'), 'utf8');
  for (const line of [
    'readinessProbe: { httpGet: { port: 4081, path: /ready } }',
    'lifecycle: { preStop: { httpGet: { port: 4081, path: /drain } } }',
  ]) {
    expect(code).to.include(line);
    expect(demo).to.include(line);
  }
  const [, grace] = /terminationGracePeriodSeconds: (\d+)/.exec(code) ?? [];
  const times = [...demo.matchAll(/(?:timeout: |DRAIN_DELAY = )([\d_]+)/g)].map(([, text = '']) =>
    Number(text.replace('_', '')),
  );
  const [delay = 0, hook = 0] = times;
  expect(delay + hook).to.be.below(Number(grace) * 1000);
}

describeBlocks(page, {
  'Sessions, and logging out': sessions,
  'Origins behind a proxy': [runElsewhere('spec/docs/proxies.spec.ts'), runElsewhere('spec/docs/proxies.spec.ts')],
  TLS: [overTls, tlsClient],
  'Several WebSocket libraries on one server': besideWs,
  Rooms: rooms,
  'One slow client': slowClient,
  'Rate limits': [connectionsOfAddress, messagesOfRoute],
  'An upload with progress': [upload, runAbove],
  Codecs: async (block) => {
    const { each } = await block.run({ names, returns: ['each'] });
    const stream = each((value: number) => value + 1);
    stream.end(1);
    expect(await stream.toArray()).to.deep.equal([2]);
  },
  JSON: [json(0), json(1)],
  MessagePack: runElsewhere('spec/adapters/ws/programs.spec.ts'),
  Lines: [readsLines, answersLines],
  Tests: testOfUser,
  TypeScript: typed,
  'Kubernetes and systemd': manifest,
});

describe(page, () => {
  it('JSON: what is no JSON closes with 1011', async () => {
    const [ws, peer] = createPair();
    const failure = runRecipe('JSON', 0, { ...names, ws }).catch((error: Error) => error);
    peer.on('error', () => {}).resume();
    peer.write('{');
    expect((await peer.whenClosed()).code).to.equal(1011);
    expect(await failure).to.be.instanceOf(SyntaxError);
  });
});
