import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import {
  type ClientOptions,
  configureServer,
  connect,
  createPair,
  type Message,
  reconnecting,
  type WebSocket,
  WebSocketError,
} from '../../lib/webSocketHandler';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks, type Trial } from '../support/describeBlocks';
import { listen } from '../support/http';
import { nextMessage, RecordingConsole, upperCase } from './stage';

const urlOf = ({ port }: { readonly port: number }) => `ws://localhost:${port}`;

/**
 * For a loop over a WebSocket with a `catch`: it gets all messages before a clean end, and before the end of a lost connection.
 * @param consumer the name of the function that the loop calls with each message
 * @param reported what it prints about a lost connection
 */
const loop =
  (consumer: string, reported: readonly unknown[]): Trial =>
  async (block) => {
    for (const end of ['end', 'abort'] as const) {
      const [ws, peer] = createPair();
      const console = new RecordingConsole();
      const seen: Message[] = [];
      const take = (message: Message) => void seen.push(message);
      const running = block.run({ names: { ws, console, [consumer]: take } });
      peer.on('error', () => {}).resume();
      peer.write('one');
      peer.write('two', () => peer[end]());
      await running;
      expect(seen).to.deep.equal(['one', 'two']);
      expect(console.lines).to.deep.equal(end === 'end' ? [] : [reported]);
    }
  };

/** The log of the server counts from 1, and breaks off after each message. */
async function resumes(block: CodeBlock): Promise<void> {
  const asked: (string | undefined)[] = [];
  await using server = await listen((req, res) => {
    asked.push(req.url);
    const ws = res.webSocket?.connect();
    if (asked.length === 3) ws?.close(1000);
    else ws?.write(String(asked.length), () => ws.abort());
  });
  await block.run({
    names: {
      WebSocketError,
      reconnecting: (url: () => string) => reconnecting(url, { initialDelay: 1 }),
      store: async (message: Message) => Number(message),
    },
    replace: { 'wss://example.org': urlOf(server) },
  });
  expect(asked).to.deep.equal(['/log?after=0', '/log?after=1', '/log?after=2']);
}

describeBlocks('docs/guarantees.md', {
  'Guarantees: what may be lost, and how you know': loop('store', ['incomplete:', 'WS_ERR_CONNECTION_LOST', 1006]),
  Reconnecting: resumes,
});

describeBlocks('docs/endings.md', {
  'How a WebSocket ends, and what each side sees': async (block) => {
    const [ws, peer] = createPair();
    const seen: Message[] = [];
    const handle = (message: Message) => seen.push(message);
    const running = block.run({ names: { ws, handle }, returns: ['code', 'reason', 'wasClean'] });
    peer.resume().write('one');
    peer.close(1000, 'done');
    expect(await running).to.deep.equal({ code: 1000, reason: 'done', wasClean: true });
    expect(seen).to.deep.equal(['one']);
    const console = new RecordingConsole();
    const [lost, other] = createPair();
    const failing = block.run({ names: { ws: lost, handle, console }, returns: ['code'] });
    other.on('error', () => {}).abort();
    expect(await failing).to.deep.equal({ code: 1006 });
    expect(console.lines).to.deep.equal([['WS_ERR_CONNECTION_LOST', 1006]]);
  },
});

describeBlocks('docs/errors.md', {
  Errors: async (block) => {
    for (const [end, code] of [
      ['abort', undefined],
      ['close', 'WS_ERR_CLOSED_BY_PEER'],
    ] as const) {
      const [ws, peer] = createPair();
      let again = 0;
      const names = { ws, handleMessage: () => {}, scheduleAnotherTry: () => again++ };
      const running = block.run({ names }).then(
        () => undefined,
        (error: WebSocketError) => error.code,
      );
      peer.on('error', () => {}).resume();
      peer[end](...((end === 'close' ? [4000] : []) as []));
      expect([await running, again]).to.deep.equal([code, code === undefined ? 1 : 0]);
    }
  },
});

/** Prints what it is told about a failure of a WebSocket. */
async function firstLook(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  const [ws, peer] = createPair();
  await block.run({ names: { ws, console } });
  ws.resume();
  peer.on('error', () => {}).abort();
  const [code, message, closeCode] = await console.next();
  expect([code, closeCode]).to.deep.equal(['WS_ERR_CONNECTION_LOST', 1006]);
  expect(message).to.match(/^The connection ended without a Close frame/);
}

async function diagnostics(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  const { unsubscribe } = await import('node:diagnostics_channel');
  const subscribed: [string, () => void][] = [];
  await block.run({
    names: {
      console,
      follow: (...given: [string, () => void]) => {
        subscribed.push(given);
        return require('node:diagnostics_channel').subscribe(...given);
      },
    },
    replace: { "import { subscribe } from 'node:diagnostics_channel';": 'const subscribe = follow;' },
  });
  try {
    await using server = await listen((req, res) => {
      if (req.url === '/refused') res.writeHead(401).end();
      else res.webSocket?.connect().resume();
    });
    const refused = connect(`${urlOf(server)}/refused`).resume();
    await once(refused, 'error');
    expect([await console.next(), await console.next()].map(String)).to.include('/refused,401');
    const ws = connect(`${urlOf(server)}/`).resume();
    await once(ws, 'open');
    ws.abort();
    let line = '';
    while (!line.startsWith('WS_ERR_CONNECTION_LOST')) line = String((await console.next())[0]);
  } finally {
    for (const [name, listener] of subscribed) unsubscribe(name, listener);
  }
}

/** A server with one connection, whose handle the block uses. */
async function withHandle(block: CodeBlock, names: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const server = createServer((_req, res) => res.webSocket?.connect().resume());
  const handle = configureServer(server);
  server.listen(0);
  await once(server, 'listening');
  const ws = connect(`ws://localhost:${(server.address() as { port: number }).port}/path`).resume();
  await once(ws, 'open');
  try {
    await block.run({ names: { server, handle, ...names } });
  } finally {
    if (server.listening) server.close();
    await handle.close();
  }
  expect((await ws.whenClosed()).code).to.equal(1001);
}

describeBlocks('docs/troubleshooting.md', {
  'Look first': [firstLook, diagnostics],
  'A process that does not exit': (block) => withHandle(block),
  'Memory that grows': async (block) => {
    const console = new RecordingConsole();
    await withHandle(block, { console });
    expect(console.lines).to.deep.equal([['/path', 0, 0, 0]]);
  },
  'An unhandled rejection ends the process': async (block) => {
    const console = new RecordingConsole();
    const [ws, peer] = createPair();
    await block.run({ names: { ws, console, pipeline, transform: upperCase() } });
    peer.on('error', () => {}).abort();
    expect(await console.next()).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  },
});

/** Configures a server with the block's options, and opens a WebSocket. @returns its messages, or the status of the refusal */
async function answerTo(block: CodeBlock, options: ClientOptions = {}) {
  const server = createServer((_req, res) => res.webSocket?.connect().end('welcome'));
  let handle: ReturnType<typeof configureServer> | undefined;
  await block.run({
    names: {
      server,
      configureServer: (...given: Parameters<typeof configureServer>) => {
        handle = configureServer(...given);
      },
    },
  });
  server.listen(0);
  await once(server, 'listening');
  const url = `ws://localhost:${(server.address() as { port: number }).port}`;
  const ws = connect(url, options);
  const result = await ws.toArray().catch((error: WebSocketError) => error.statusCode);
  server.close();
  await handle?.close();
  return result;
}

describeBlocks('docs/security.md', {
  'Compare a secret': async (block) => {
    const names = { createServer, createHash, timingSafeEqual, token: 'right' };
    const { server } = await block.run({ names, returns: ['server'] });
    const handle = configureServer(server);
    server.listen(0);
    await once(server, 'listening');
    const url = urlOf(server.address());
    const headers = { Authorization: 'Bearer right' };
    expect(await connect(url, { headers }).toArray()).to.deep.equal(['welcome']);
    for (const Authorization of ['Bearer wrong', 'Bearer righ', 'Bearer rights', '']) {
      const [error] = await once(connect(url, { headers: { Authorization } }).resume(), 'error');
      expect(error.statusCode, Authorization).to.equal(401);
    }
    server.close();
    await handle.close();
  },
  'Cross-site hijacking': async (block) => {
    const headers = { Cookie: 'session=1' };
    expect(await answerTo(block, { headers, origin: 'https://app.example' })).to.deep.equal(['welcome']);
    expect(await answerTo(block, { headers, origin: 'https://evil.example' })).to.equal(403);
  },
  Authentication: async (block) => {
    const { server } = await block.run({
      names: {
        createServer,
        findUser: async (cookie?: string) => cookie,
        serve: (ws: WebSocket, user: string) => ws.end(`hello ${user}`),
      },
      returns: ['server'],
    });
    const handle = configureServer(server);
    server.listen(0);
    await once(server, 'listening');
    const { port } = server.address();
    expect(await connect(urlOf({ port }), { headers: { Cookie: 'ann' } }).toArray()).to.deep.equal(['hello ann']);
    const [error] = await once(connect(urlOf({ port })).resume(), 'error');
    expect(error.statusCode).to.equal(401);
    expect((await fetch(`http://localhost:${port}`, { headers: { Cookie: 'ann' } })).status).to.equal(426);
    server.close();
    await handle.close();
  },
  Limits: async (block) => expect(await answerTo(block)).to.deep.equal(['welcome']),
  'Old versions of the protocol': async (block) => {
    expect(await answerTo(block)).to.deep.equal(['welcome']);
    expect(await answerTo(block, { version: '8' })).to.equal(426);
  },
});

describeBlocks('docs/capacity.md', {
  'Measure your own program': async (block) => {
    const console = new RecordingConsole();
    let tick = () => {};
    const setInterval = (call: () => void) => {
      tick = call;
      return { unref() {} };
    };
    await withHandle(block, { console, setInterval });
    tick();
    expect(await console.next()).to.deep.equal([
      { open: 0, opened: 1, refused: 0, messagesReceived: 0, messagesSent: 0, waiting: 0 },
    ]);
  },
});

/** Runs a block that listens for SIGTERM without the signal of this process. */
const processOf = (signals: Record<string, () => Promise<void>>) => ({
  once: (signal: string, listener: () => Promise<void>) => {
    signals[signal] = listener;
  },
});

async function skillServer(block: CodeBlock): Promise<void> {
  const signals: Record<string, () => Promise<void>> = {};
  const console = new RecordingConsole();
  await block.run({ names: { process: processOf(signals), console } });
  const url = urlOf({ port: await block.port() });
  const ws = connect(`${url}/echo`);
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('hello');
  const [refused] = await once(connect(`${url}/other`).resume(), 'error');
  expect(refused.statusCode).to.equal(404);
  ws.resume();
  await signals['SIGTERM']?.();
  expect((await ws.whenClosed()).code).to.equal(1001);
}

async function skillClient(block: CodeBlock): Promise<void> {
  await using server = await listen((_req, res) => {
    const ws = res.webSocket?.connect();
    ws?.pipe(ws);
  });
  const console = new RecordingConsole();
  await block.run({ names: { console }, replace: { 'ws://localhost:4080': urlOf(server) } });
  expect(console.lines).to.deep.equal([['hello']]);
}

describeBlocks('SKILL.md', { Server: skillServer, Client: skillClient });

describeBlocks('llms.txt', {
  'node-websocket-handler': async (block) => {
    const console = new RecordingConsole();
    await block.run({ names: { console } });
    const ws = connect(urlOf({ port: await block.port() }));
    ws.resume().write('hello');
    expect(await console.next()).to.deep.equal(['hello']);
    ws.end();
    await ws.whenClosed();
  },
});
