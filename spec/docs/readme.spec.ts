import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { WebSocket as BrowserWebSocket } from 'undici';
import { type AnyWebSocket, connect, createPair, type Message, reconnecting } from '../../lib/webSocketHandler';
import { type CodeBlock, codeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { type Handler, listen } from '../support/http';
import { collect, expressLike, nextMessage, RecordingConsole, upperCase } from './stage';

const page = 'README.md';

async function firstServer(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  await block.run({ names: { console } });
  const url = `localhost:${await block.port()}`;
  const ws = connect(`ws://${url}`);
  ws.write('hello');
  expect(await nextMessage(ws)).to.equal('hello');
  ws.abort();
  expect(await console.next()).to.deep.equal(['WS_ERR_CONNECTION_LOST', 'The connection ended without a Close frame']);
  const { status } = await fetch(`http://${url}`);
  expect(status).to.equal(426);
}

async function fromBrowser(block: CodeBlock): Promise<void> {
  const server = codeBlock(page, 'node-websocket-handler');
  await server.run();
  try {
    const console = new RecordingConsole();
    const { ws } = await block.run({
      names: { WebSocket: BrowserWebSocket, console },
      returns: ['ws'],
      replace: { 'localhost:4080': `localhost:${await server.port()}` },
    });
    expect(await console.next()).to.deep.equal(['hello']);
    ws.close(1000);
    expect(await console.next()).to.deep.equal(['closed with', 1000]);
  } finally {
    await server.stop();
  }
}

/** Each line of the block is a way to use a WebSocket. */
async function streams(block: CodeBlock): Promise<void> {
  const answers: unknown[] = [];
  for (const line of block.lines()) {
    const [ws, peer] = createPair();
    const { all, sink } = collect();
    const running = line.run({ names: { ws, pipeline, parse: upperCase(), store: sink, transform: upperCase() } });
    const received = peer.toArray();
    peer.write('one');
    peer.end(Buffer.from('two'));
    await running;
    answers.push([...(await received), ...all].map(String));
  }
  expect(answers).to.deep.equal([['ONE', 'TWO'], ['ONE', 'TWO'], ['one', 'two'], ['bye']]);
}

async function events(block: CodeBlock): Promise<void> {
  const console = new RecordingConsole();
  const handle: Handler = (_req, res) => void block.run({ names: { res, console } });
  await using server = await listen(handle);
  const ws = connect(`ws://localhost:${server.port}`);
  ws.write('text');
  expect(await nextMessage(ws)).to.equal('text');
  ws.write(Buffer.from('binary'));
  expect(await nextMessage(ws)).to.deep.equal(Buffer.from('binary'));
  ws.close(4000, 'enough');
  expect(await console.next()).to.deep.equal(['WS_ERR_CLOSED_BY_PEER']);
  expect(await console.next()).to.deep.equal([4000, 'enough']);
  expect((await fetch(`http://localhost:${server.port}`)).status).to.equal(426);
}

/** Against the first server of the page, and then without a server. */
async function completeClient(block: CodeBlock): Promise<void> {
  const server = codeBlock(page, 'node-websocket-handler');
  await server.run();
  const process: { exitCode?: number } = {};
  const console = new RecordingConsole();
  let host: string;
  try {
    host = `localhost:${await server.port()}`;
    await block.run({ names: { console, process }, replace: { 'localhost:4080': host } });
    expect(console.lines).to.deep.equal([['hello']]);
    expect(process.exitCode).to.equal(undefined);
  } finally {
    await server.stop();
  }
  await block.run({ names: { console, process }, replace: { 'localhost:4080': host } });
  expect(console.lines.at(-1)?.[0]).to.equal('WS_ERR_CONNECTION_FAILED');
  expect(process.exitCode).to.equal(1);
}

async function client(block: CodeBlock): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'readme-'));
  try {
    const files = { 'in.bin': join(folder, 'in.bin'), 'out.bin': join(folder, 'out.bin') };
    await writeFile(files['in.bin'], 'some bytes');
    await using server = await listen((_req, res) => {
      const ws = res.webSocket?.connect();
      ws?.pipe(ws);
    });
    await block.run({
      names: { connect, pipeline, createReadStream, createWriteStream, signal: new AbortController().signal },
      replace: {
        'wss://example.org/feed': `ws://localhost:${server.port}`,
        "'in.bin'": JSON.stringify(files['in.bin']),
        "'out.bin'": JSON.stringify(files['out.bin']),
      },
    });
    expect(await readFile(files['out.bin'], 'utf8')).to.equal('some bytes');
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function reconnects(block: CodeBlock): Promise<void> {
  const queries: (string | undefined)[] = [];
  await using server = await listen((req, res) => {
    queries.push(req.url);
    const ws = res.webSocket?.connect();
    // The first connection is lost after its message, the second ends cleanly.
    ws?.write(`${queries.length}`, () => (queries.length === 1 ? ws.abort() : ws.close(1000)));
  });
  const console = new RecordingConsole();
  const stored: Message[] = [];
  await block.run({
    names: {
      url: `ws://localhost:${server.port}/`,
      console,
      pipeline,
      last: 7,
      reconnecting: (url: () => string) => reconnecting(url, { initialDelay: 1 }),
      store: async (ws: AnyWebSocket) => {
        for await (const message of ws) stored.push(message as Message);
      },
    },
  });
  expect(await console.next()).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  expect([stored, queries]).to.deep.equal([
    ['1', '2'],
    ['/?after=7', '/?after=7'],
  ]);
}

async function application(block: CodeBlock): Promise<void> {
  const { app, server } = await expressLike();
  try {
    const session = () => (req: { url: string; session: object }, _res: unknown, next: () => void) => {
      req.session = req.url.includes('ann') ? { user: 'ann' } : {};
      next();
    };
    await block.run({ names: { app, session } });
    const ws = connect(`ws://localhost:${server.port}/feed?ann`);
    expect(await ws.toArray()).to.deep.equal(['hello ann']);
    const refused = connect(`ws://localhost:${server.port}/feed`).resume();
    const [error] = await once(refused, 'error');
    expect([error.statusCode, String(error.body)]).to.deep.equal([401, '{"error":"who are you?"}']);
    expect((await fetch(`http://localhost:${server.port}/feed?ann`)).status).to.equal(426);
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

describeBlocks(page, {
  'node-websocket-handler': [firstServer, fromBrowser],
  'Use it as a stream': streams,
  'Or with events': events,
  'Connect to a server': [completeClient, client, reconnects],
  'In your application': application,
});
