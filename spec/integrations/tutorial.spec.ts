import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { WebSocket as BrowserWebSocket } from 'undici';
import { type ClientOptions, connect, createPair, type WebSocketError } from '../../lib/webSocketHandler';
import { nextMessage, RecordingConsole } from '../docs/stage';
import { createCertificate } from '../support/certificate';
import { type CodeBlock, codeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { startNginx } from '../support/nginx';
import { launchChromium } from '../support/peers';
import { freePort } from '../support/program';
import { type RunningProgram, run, stopPrograms } from '../support/runClient';
import { need, nginx } from '../support/tools';

const page = 'docs/tutorial.md';
const root = join(__dirname, '..', '..');
const chatHeading = 'Part 2: a chat with a login, rooms and a heartbeat';
const [chat, html] = [codeBlock(page, chatHeading), codeBlock(page, chatHeading, 1)];
const stopping = codeBlock(page, 'Stop without losing anything');

/** The folder that the reader has at the end: the program of part 2 with the lines of part 3, its page, and what npm has installed. */
function createProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chat-'));
  mkdirSync(join(folder, 'public'));
  mkdirSync(join(folder, 'node_modules', 'node-websocket-handler'), { recursive: true });
  for (const name of ['express', 'express-session']) {
    symlinkSync(join(root, 'demo/frameworks/node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(
    join(folder, 'node_modules/node-websocket-handler/index.mjs'),
    `export * from ${JSON.stringify(pathToFileURL(join(root, 'lib/webSocketHandler.ts')).href)};`,
  );
  writeFileSync(
    join(folder, 'node_modules/node-websocket-handler/package.json'),
    JSON.stringify({ name: 'node-websocket-handler', exports: './index.mjs' }),
  );
  writeFileSync(join(folder, 'chat.mjs'), chat.code + stopping.code);
  writeFileSync(join(folder, 'public/index.html'), html.code);
  return folder;
}

let folder: string;
let program: RunningProgram;
let port: number;

async function startChat(): Promise<void> {
  folder = createProject();
  const tsx = pathToFileURL(require.resolve('tsx')).href;
  program = run([process.execPath, '--import', tsx, 'chat.mjs'], { cwd: folder, env: { PORT: '0', NODE_ENV: 'test' } });
  const address = () => /localhost:(\d+)/.exec(program.output.toString())?.[1];
  await program.until(() => address() !== undefined);
  port = Number(address());
}

async function stopChat(): Promise<void> {
  await stopPrograms();
  rmSync(folder, { recursive: true });
}

/** Logs in. @returns the cookie of the session */
async function login(name: string): Promise<string> {
  const { status, headers } = await fetch(`http://localhost:${port}/login`, {
    method: 'POST',
    body: new URLSearchParams({ name }),
    redirect: 'manual',
  });
  expect(status).to.equal(302);
  return (headers.getSetCookie()[0] as string).split(';')[0] as string;
}

const openRoom = (options: ClientOptions) => connect(`ws://localhost:${port}/rooms/lobby`, options);

async function refusal(options: ClientOptions): Promise<number | undefined> {
  const ws = openRoom(options).resume();
  const [error] = (await once(ws, 'error')) as [WebSocketError];
  return error.statusCode;
}

describe('The chat of docs/tutorial.md', function () {
  // Pages are slow where other specs have the processor too.
  this.timeout(300_000);
  beforeEach(startChat);
  afterEach(stopChat);

  it('refuses who has not logged in, and pages of other sites', async () => {
    expect(await refusal({})).to.equal(401);
    const headers = { Cookie: await login('Ann') };
    expect(await refusal({ headers, origin: 'https://elsewhere.example' })).to.equal(403);
    const { status } = await fetch(`http://localhost:${port}/rooms/lobby`, { headers });
    expect(status).to.equal(426);
  });

  it('tells a room what its members say, and that they have come, left or been lost', async () => {
    const ann = openRoom({ headers: { Cookie: await login('Ann') } });
    expect(JSON.parse(String(await nextMessage(ann)))).to.deep.equal({ user: 'Ann', text: 'has joined' });
    const bob = openRoom({ headers: { Cookie: await login('Bob') } });
    expect(JSON.parse(String(await nextMessage(ann)))).to.deep.equal({ user: 'Bob', text: 'has joined' });
    bob.write('hello');
    expect(JSON.parse(String(await nextMessage(ann)))).to.deep.equal({ user: 'Bob', text: 'hello' });
    bob.abort();
    expect(JSON.parse(String(await nextMessage(ann)))).to.deep.equal({ user: 'Bob', text: 'has left' });
    // It comes on another way than the message.
    await program.until(({ complaints }) => complaints.endsWith('\n'));
    expect(program.complaints).to.equal('Bob was lost: WS_ERR_CONNECTION_LOST\n');
    ann.on('error', () => {});
    ann.write('x'.repeat(4097));
    expect((await ann.whenClosed()).code).to.equal(1009);
  });

  it('closes its clients with 1012 on SIGTERM, and exits with the code 0', async () => {
    const ann = openRoom({ headers: { Cookie: await login('Ann') } });
    await nextMessage(ann);
    ann.on('error', () => {}).resume();
    program.kill('SIGTERM');
    expect(await ann.whenClosed()).to.include({ code: 1012, wasClean: true });
    const { code, output } = await program.ending;
    expect([code, output.split('\n')[1]]).to.deep.equal([0, 'closed 1, dropped 0']);
  });
});

describe('The page of docs/tutorial.md, in Chromium', function () {
  // Pages are slow where other specs have the processor too.
  this.timeout(300_000);
  let browser: Browser;
  before(async function () {
    browser = await launchChromium(this);
  });
  beforeEach(startChat);
  afterEach(stopChat);
  after(() => browser?.close());

  /** Opens the page in a session of its own, and logs in. */
  async function enter(name: string): Promise<{ readonly page: Page; readonly context: BrowserContext }> {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://localhost:${port}/`);
    await page.getByPlaceholder('Your name').fill(name);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('connected').waitFor();
    return { page, context };
  }

  it('is a chat between two windows, each with its session', async () => {
    const ann = await enter('Ann');
    const bob = await enter('Bob');
    await bob.page.getByPlaceholder('Message').fill('<b>hello</b>');
    await bob.page.getByRole('button', { name: 'Send' }).click();
    await ann.page.getByText('Bob: <b>hello</b>').waitFor();
    await bob.context.close();
    await ann.page.getByText('Bob: has left').waitFor();
    await ann.context.close();
  });
});

/** nginx with the configuration of the page, in front of the chat. Its port and its certificate are those of the spec. */
async function behindNginx(block: CodeBlock, path: string): Promise<void> {
  const { key, cert } = createCertificate();
  const httpsPort = await freePort();
  const changes: Readonly<Record<string, string>> = {
    'listen 443 ssl': `listen 127.0.0.1:${httpsPort} ssl`,
    '/etc/ssl/chat.example.pem': 'certificate.pem',
    '/etc/ssl/private/chat.example.key': 'key.pem',
    '127.0.0.1:4080': `localhost:${port}`,
  };
  let site = block.code;
  for (const [text, other] of Object.entries(changes)) {
    expect(site).to.include(text);
    site = site.replace(text, other);
  }
  const proxy = await startNginx(path, httpsPort, site, { 'certificate.pem': cert, 'key.pem': key });
  try {
    const headers = { Host: 'chat.example', Cookie: await login('Ann') };
    const url = `wss://127.0.0.1:${httpsPort}/rooms/lobby`;
    const options = { ca: cert, servername: 'localhost' };
    const ws = connect(url, { ...options, headers, origin: 'https://chat.example' });
    expect(JSON.parse(String(await nextMessage(ws)))).to.deep.equal({ user: 'Ann', text: 'has joined' });
    ws.resume().end();
    expect((await ws.whenClosed()).code).to.equal(1000);
    const [error] = await once(connect(url, { ...options, headers: { Host: 'chat.example' } }).resume(), 'error');
    expect((error as WebSocketError).statusCode).to.equal(401);
  } finally {
    await proxy.stop();
  }
}

let nginxPath: string;

describe('docs/tutorial.md', function () {
  // Pages are slow where other specs have the processor too.
  this.timeout(300_000);
  before(function () {
    nginxPath = need(nginx, this);
  });

  describeBlocks(page, {
    'Part 1: an echo': async (block) => {
      const console = new RecordingConsole();
      await block.run({ names: { console } });
      const ws = connect(`ws://localhost:${await block.port()}`);
      expect(await console.next()).to.deep.equal(['ws://localhost:4080']);
      ws.write('hello');
      expect(await nextMessage(ws)).to.equal('hello');
      ws.abort();
      expect((await console.next())[0]).to.equal('WS_ERR_CONNECTION_LOST');
    },
    'Put something between': async (block) => {
      const [ws, peer] = createPair();
      const answers = peer.toArray();
      peer.write('one');
      peer.end(Buffer.from('two'));
      await block.run({ names: { ws, pipeline } });
      expect(await answers).to.deep.equal(['ONE', 'TWO']);
    },
    'From a browser': async (block) => {
      const echo = codeBlock(page, 'Part 1: an echo');
      await echo.run({ names: { console: new RecordingConsole() } });
      const console = new RecordingConsole();
      const replace = { 'localhost:4080': `localhost:${await echo.port()}` };
      const { ws } = await block.run({ names: { WebSocket: BrowserWebSocket, console }, returns: ['ws'], replace });
      expect(await console.next()).to.deep.equal(['hello']);
      const closed = once(ws, 'close');
      ws.close();
      await closed;
      await echo.stop();
    },
    // These two are run by the specs above.
    [chatHeading]: [({ code }) => expect(code).to.equal(chat.code), ({ code }) => expect(code).to.equal(html.code)],
    'Stop without losing anything': ({ code }) => expect(code).to.equal(stopping.code),
    systemd: ({ code }) => {
      const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(code) ?? [];
      const [, milliseconds] = /timeout: (\d+)/.exec(stopping.code) ?? [];
      expect(Number(seconds) * 1000).to.be.above(Number(milliseconds));
      expect(code).to.match(/^ExecStart=\/usr\/bin\/node chat\.mjs$/m);
    },
    nginx: async (block) => {
      await startChat();
      try {
        await behindNginx(block, nginxPath);
      } finally {
        await stopChat();
      }
    },
  });
});
