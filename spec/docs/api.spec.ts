import { type EventEmitter, once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import * as library from '../../lib/webSocketHandler';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks, type Trial } from '../support/describeBlocks';
import { listen } from '../support/http';
import { nextMessage, RecordingConsole, runElsewhere } from './stage';

const {
  BroadcastStream,
  byteStream,
  configureServer,
  connect,
  createPair,
  Deframer,
  Framer,
  PreparedMessage,
  reconnecting,
  WebSocketError,
} = library;

const page = 'docs/api.md';
const urlOf = ({ port }: { readonly port: number }) => `ws://localhost:${port}`;

async function imports(block: CodeBlock): Promise<void> {
  const names = [...block.code.matchAll(/\b(\w+)(?=,)/g)].map(([name]) => name);
  const values = await block.run({ returns: names });
  expect(Object.keys(values)).to.have.members(names);
  // Every value that the package exports, and no undefined one.
  expect(names).to.have.members(Object.keys(library));
  expect(Object.values(values)).to.not.include(undefined);
}

async function servers(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  const { server, handle } = await block.run({
    names: { createServer, pipeline, configureServer, console },
    returns: ['server', 'handle'],
  });
  server.listen(0);
  await once(server, 'listening');
  const ws = connect(urlOf(server.address()));
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('hello');
  ws.abort();
  expect(await console.next()).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  server.close();
  await handle.close();
}

/** Runs a block that configures a server, and opens a WebSocket at a path. */
const configures =
  (
    names: () => Readonly<Record<string, unknown>>,
    path: string,
    options: library.ClientOptions,
    expected: unknown,
  ): Trial =>
  async (block) => {
    const server = createServer((_req, res) => res.webSocket?.connect().end('welcome'));
    let handle: library.WebSocketServer | undefined;
    await block.run({
      names: {
        server,
        configureServer: (...given: Parameters<typeof configureServer>) => {
          handle = configureServer(...given);
          return handle;
        },
        ...names(),
      },
    });
    server.listen(0);
    await once(server, 'listening');
    const ws = connect(`${urlOf(server.address() as { port: number })}${path}`, options);
    const result = await ws.toArray().catch((error: library.WebSocketError) => error.statusCode);
    expect(result).to.deep.equal(expected);
    server.close();
    await handle?.close();
  };

/** The order in which things end: a request that is still being answered keeps the database open. */
async function stops(block: CodeBlock): Promise<void> {
  const events: string[] = [];
  const waiting: ServerResponse[] = [];
  const server = createServer((_req, res) => {
    const ws = res.webSocket?.connect();
    if (!ws) return void waiting.push(res);
    ws.resume().once('close', () => {
      events.push('WebSocket');
      waiting[0]?.end('answered');
    });
  });
  const handle = configureServer(server);
  server.once('close', () => events.push('server'));
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect(urlOf({ port })).resume();
  await once(client, 'open');
  const asked = fetch(`http://localhost:${port}`, { headers: { Connection: 'close' } });
  await once(server, 'request');
  const database = { close: async () => void events.push('database') };
  const { stop } = await block.run({ names: { once, server, handle, database }, returns: ['stop'] });
  await stop();
  expect(await (await asked).text()).to.equal('answered');
  expect(events).to.deep.equal(['WebSocket', 'server', 'database']);
}

async function disposes(block: CodeBlock): Promise<void> {
  const sockets: library.WebSocket[] = [];
  const handler = (_req: IncomingMessage, res: ServerResponse) => res.webSocket?.connect().resume();
  let server: ReturnType<typeof createServer> | undefined;
  await block.run({
    names: {
      handler,
      createServer: (listener: typeof handler) => {
        server = createServer(listener);
        return server;
      },
      configureServer: async () => {},
      ready: async () => {
        server?.listen(0);
        await once(server as EventEmitter, 'listening');
        const ws = connect(urlOf(server?.address() as { port: number })).resume();
        await once(ws, 'open');
        sockets.push(ws);
      },
      configure: configureServer,
    },
    // Between the two lines and the end of their block, a client connects.
    replace: { 'configureServer(server);': 'configure(server);\nawait ready();' },
  });
  expect((await (sockets[0] as library.WebSocket).whenClosed()).code).to.equal(1001);
  expect(server?.listening).to.equal(false);
}

async function echoes(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  const [ws, peer] = createPair();
  const running = block.run({ names: { ws, console }, returns: ['code', 'reason', 'wasClean'] });
  peer.write('text');
  expect(await nextMessage(peer)).to.equal('text');
  peer.write(Buffer.from('bytes'));
  expect(await nextMessage(peer)).to.deep.equal(Buffer.from('bytes'));
  peer.close(4000, 'enough');
  expect(await running).to.deep.equal({ code: 4000, reason: 'enough', wasClean: true });
  expect(await console.next()).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', 4000]);
}

async function callback(block: CodeBlock): Promise<void> {
  const [ws, peer] = createPair();
  const console = new RecordingConsole();
  await block.run({ names: { ws, console } });
  expect(await nextMessage(peer)).to.equal('hello');
  ws.resume().end();
  await block.run({ names: { ws, console } });
  expect(String((await console.next())[1])).to.match(/^The connection is not open/);
  peer.resume();
  await peer.whenClosed();
}

async function loops(block: CodeBlock): Promise<void> {
  const seen: library.Message[] = [];
  const console = new RecordingConsole();
  const [ws, peer] = createPair();
  peer.on('error', () => {}).resume();
  peer.write('one', () => peer.abort());
  await block.run({ names: { ws, console, handleMessage: (message: library.Message) => seen.push(message) } });
  expect([seen, console.lines]).to.deep.equal([['one'], [['WS_ERR_CONNECTION_LOST', 1006]]]);
}

async function quits(block: CodeBlock): Promise<void> {
  const [ws, peer] = createPair();
  const console = new RecordingConsole();
  await block.run({ names: { ws, console } });
  for (const message of ['one', 'quit', 'two']) peer.write(message);
  expect(await peer.toArray()).to.deep.equal(['one']);
  expect(String(await console.next())).to.match(/^The connection is not open: /);
}

/** A folder for the file of a block. */
async function inFolder(use: (file: string) => Promise<unknown>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'api-'));
  try {
    await use(join(folder, 'film.mp4'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const sendsStreams: Trial = (block) =>
  inFolder(async (file) => {
    await writeFile(file, Buffer.alloc(300_000, 'film '));
    const [ws, peer] = createPair();
    async function* generate() {
      yield 'piece by ';
      yield 'piece';
    }
    await block.run({ names: { ws, createReadStream, generate }, replace: { "'film.mp4'": JSON.stringify(file) } });
    const received = peer.toArray();
    ws.resume().end();
    const [film, text] = await received;
    expect((film as Buffer).equals(await readFile(file))).to.equal(true);
    expect(text).to.equal('piece by piece');
  });

const readsStreams: Trial = (block) =>
  inFolder(async (file) => {
    await using server = await listen((_req, res) => res.webSocket?.connect().end(Buffer.alloc(300_000, 'film ')));
    await block.run({
      names: { connect, url: urlOf(server), pipeline, createWriteStream },
      replace: { "'film.mp4'": JSON.stringify(file) },
    });
    expect((await readFile(file)).equals(Buffer.alloc(300_000, 'film '))).to.equal(true);
  });

async function bytes(block: CodeBlock): Promise<void> {
  let pieces = '';
  const broker = {
    handle: (stream: Readable & Writable) => {
      stream.on('data', (piece) => {
        pieces += piece;
        stream.end('bye');
      });
    },
  };
  await using server = await listen((req, res) => void block.run({ names: { byteStream, req, res, broker } }));
  const ws = connect(urlOf(server), { protocols: ['mqtt'] });
  ws.write(Buffer.from('connect'));
  expect(await ws.toArray()).to.deep.equal([Buffer.from('bye')]);
  expect([pieces, ws.protocol]).to.deep.equal(['connect', 'mqtt']);
}

async function waitsForDrain(block: CodeBlock): Promise<void> {
  const [ws, peer] = createPair();
  const rows = Array.from({ length: 500 }, (_, i) => `${i} ${'x'.repeat(1000)}`);
  const received = peer.toArray();
  await block.run({ names: { ws, rows, once } });
  ws.resume().end();
  expect(await received).to.deep.equal(rows);
}

async function counters(block: CodeBlock): Promise<void> {
  await using server = await listen((_req, res) => res.webSocket?.connect().end());
  const ws = connect(urlOf(server)).resume();
  await ws.whenClosed();
  while (server.handle.connections.size > 0) await new Promise(setImmediate);
  const names = ['messagesReceived', 'bytesSent', 'pausedTime', 'opened', 'refused', 'closed'];
  const { bytesSent, ...others } = await block.run({ names: { ws, handle: server.handle }, returns: names });
  expect(bytesSent).to.be.above(0);
  expect(others).to.deep.equal({ messagesReceived: 0, pausedTime: 0, opened: 1, refused: 0, closed: { 1000: 1 } });
}

async function client(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  await using server = await listen((req, res) => res.webSocket?.connect().end(req.headers.authorization ?? ''));
  await block.run({
    names: { connect, token: 'abc', console },
    replace: { 'wss://example.org': urlOf(server) },
  });
  expect(console.lines).to.deep.equal([['Bearer abc']]);
}

async function resumes(block: CodeBlock): Promise<void> {
  const asked: (string | undefined)[] = [];
  await using server = await listen((req, res) => {
    asked.push(req.url);
    const ws = res.webSocket?.connect();
    if (asked.length === 2) ws?.close(1000);
    else ws?.write('7', () => ws.abort());
  });
  await block.run({
    names: {
      WebSocketError,
      signal: undefined,
      store: (value: number) => value,
      reconnecting: (url: () => string) => reconnecting(url, { initialDelay: 1 }),
    },
    replace: { 'wss://example.org': urlOf(server) },
  });
  expect(asked).to.deep.equal(['/log?after=0', '/log?after=7']);
}

async function compression(block: CodeBlock): Promise<void> {
  const [ws, peer] = createPair({ perMessageDeflate: true });
  const other = createServer();
  let handle: library.WebSocketServer | undefined;
  await block.run({
    names: {
      server: other,
      configureServer: (...given: Parameters<typeof configureServer>) => {
        handle = configureServer(...given);
      },
      ws,
      secret: 'again and '.repeat(100),
    },
  });
  expect(await nextMessage(peer)).to.equal('again and '.repeat(100));
  expect(ws.counters.bytesBeforeCompression).to.equal(0);
  for (const end of [ws, peer]) end.abort();
  await handle?.close();
}

/** A server with two clients, of which the first has the subprotocol news. @returns what each receives */
async function toClients(block: CodeBlock, names: Readonly<Record<string, unknown>>, returns: readonly string[] = []) {
  await using server = await listen((_req, res) => {
    const [protocol] = res.webSocket?.protocols ?? [];
    res.webSocket?.connect({ ...(protocol !== undefined && { protocol }) }).resume();
  });
  const clients = [connect(urlOf(server), { protocols: ['news'] }), connect(urlOf(server))];
  await Promise.all(clients.map((ws) => once(ws, 'open')));
  const values = await block.run({ names: { handle: server.handle, state: { a: 1 }, ...names }, returns });
  const received = clients.map((ws) => ws.toArray());
  await server.handle.close();
  return { values, received: await Promise.all(received) };
}

async function prices(block: CodeBlock): Promise<void> {
  const source = new PassThrough({ objectMode: true });
  const { server } = await block.run({
    names: { BroadcastStream, pipeline, console, source, createServer },
    returns: ['server'],
  });
  const handle = configureServer(server);
  server.listen(0);
  await once(server, 'listening');
  const ws = connect(urlOf(server.address()));
  await once(ws, 'open');
  while (handle.connections.size === 0) await new Promise(setImmediate);
  source.write('{"symbol":"A"}');
  expect(await nextMessage(ws)).to.equal('{"symbol":"A"}');
  expect((await fetch(`http://localhost:${server.address().port}`)).status).to.equal(426);
  ws.resume();
  server.close();
  await handle.close();
}

/** The lines are apart: one reads the bytes of a client, the other makes them. */
async function framing(block: CodeBlock): Promise<void> {
  const [read, written] = block.lines();
  const wire = new PassThrough();
  await written?.run({ names: { pipeline, messages: Readable.from(['hello']), socket: wire, Framer } });
  const console = new RecordingConsole();
  const reading = read?.run({ names: { bytes: wire, Deframer, console } });
  expect(await console.next()).to.deep.equal(['hello']);
  await reading;
}

describeBlocks(page, {
  API: imports,
  Servers: servers,
  'Beside other WebSocket servers': configures(() => ({}), '/chat', {}, ['welcome']),
  'Shutting down': [runElsewhere('spec/server/shutdown.spec.ts'), stops, disposes],
  Options: configures(() => ({ res: {} }), '/', {}, ['welcome']),
  'Greedy clients': configures(() => ({}), '/', { headers: { 'X-Real-IP': '192.0.2.1' } }, ['welcome']),
  Origins: [
    configures(() => ({}), '/', { origin: 'https://evil.example', headers: { Cookie: 'a=1' } }, 403),
    runElsewhere('spec/docs/proxies.spec.ts'),
  ],
  WebSocket: echoes,
  'What can be written': callback,
  'How a connection ends': loops,
  'Writes after the end': quits,
  'One message as a stream': [sendsStreams, readsStreams],
  'Byte streams': bytes,
  Backpressure: waitsForDrain,
  'Counters and diagnostics': counters,
  Clients: client,
  reconnecting: resumes,
  Compression: compression,
  PreparedMessage: async (block) => {
    const { received } = await toClients(block, { PreparedMessage });
    expect(received).to.deep.equal([['{"a":1}'], ['{"a":1}']]);
  },
  Broadcasting: [
    async (block) => {
      const { values, received } = await toClients(block, {}, ['count']);
      expect([values['count'], received]).to.deep.equal([1, [['{"a":1}'], []]]);
    },
    prices,
  ],
  createPair: async (block) => {
    const { client } = await block.run({ names: { createPair }, returns: ['client'] });
    expect(await client.toArray()).to.deep.equal(['hello']);
  },
  'Deframer and Framer': framing,
});
