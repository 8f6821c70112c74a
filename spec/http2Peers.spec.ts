import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createSecureServer, type Http2ServerRequest } from 'node:http2';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { WebSocket as WsClient } from 'ws';
import { connect, type Message, type WebSocket } from '../lib/webSocketHandler';
import { createCertificate } from './support/certificate';
import { echoListener, type Listener, type OurServer, serveOurs } from './support/ourServer';
import { type Closing, conversationsOf, launchChromium } from './support/peers';
import { startBackend, startProxy } from './support/proxies';
import { type RunningDemo, runDemo } from './support/runDemo';
import { curl, need, nghttp } from './support/tools';

const mebibyte = 1024 * 1024;
const certificate = createCertificate();

/** A server for HTTP/2 and HTTP/1.1, as browsers meet it. */
const serve = (listener: Listener): Promise<OurServer> =>
  serveOurs(createSecureServer({ ...certificate, allowHTTP1: true }), listener);

/** What the page itself came with, as ALPN calls it: `h2` or `http/1.1`. */
const protocolOf = (page: Page): Promise<unknown> =>
  page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol");

/** The path of a request, and the close that the server has read. */
type Report = [path: string, closing: Closing];

/** What our server says of a WebSocket: what carries it, and what the proxy before it says of itself. */
interface Carriers {
  readonly transport: string;
  readonly via: string;
}

describe('Chromium over HTTP/2', function () {
  // Megabytes take a browser seconds where others use the processor as well.
  this.timeout(60_000);

  let browser: Browser;
  let context: BrowserContext;

  before(async function () {
    browser = await launchChromium(this);
  });

  after(async () => {
    await browser?.close();
  });

  // Each has sessions of its own.
  beforeEach(async () => {
    context = await browser.newContext({ ignoreHTTPSErrors: true });
  });

  afterEach(async () => {
    await context?.close();
  });

  /** Opens a page, and with it a session: Chromium never makes one for a WebSocket alone. */
  async function open(url: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(url);
    expect(await protocolOf(page)).to.equal('h2');
    return page;
  }

  describe('on the page of the HTTP/2 demo', () => {
    let demo: RunningDemo;

    before(async () => {
      demo = await runDemo('http2Demo.ts');
    });

    after(async () => {
      await demo?.stop();
    });

    /** What the server has said, counted from 0; waits until it is there. */
    const said = (page: Page, number: number) => page.locator('#log .received .text').nth(number).textContent();

    it('shows that the transport is HTTP/2 and shows the echoes', async () => {
      const page = await open(demo.httpUrl('/'));
      expect(await said(page, 0)).to.equal('We talk over HTTP/2. WebSockets on this session: 1');
      expect(await said(page, 1)).to.equal('Hello from your browser');
      await page.fill('#message', 'How are you? 👋🏽');
      await page.click('#send');
      expect(await said(page, 2)).to.equal('How are you? 👋🏽');
    });

    it('shares one session between two tabs', async () => {
      const first = await open(demo.httpUrl('/'));
      await said(first, 0);
      expect(await said(await open(demo.httpUrl('/')), 0)).to.equal(
        'We talk over HTTP/2. WebSockets on this session: 2',
      );
    });

    it('closes, explains the close code and connects again', async () => {
      const page = await open(demo.httpUrl('/'));
      await said(page, 1);
      await page.click('#close');
      expect(await page.locator('#state.closed').textContent()).to.equal('closed: 1000, normal closure');
      await page.click('#reconnect');
      expect(await said(page, 2)).to.equal('We talk over HTTP/2. WebSockets on this session: 1');
    });
  });

  it('has ten WebSockets with 200 echoes each and its page on one session', async () => {
    const sessions = new Set<unknown>();
    const transports: unknown[] = [];
    const connections: WebSocket[] = [];
    await using server = await serve((request, response) => {
      sessions.add((request as Http2ServerRequest).stream.session);
      if (response.webSocket === undefined) return echoListener()(request, response);
      const ws = response.webSocket.connect();
      transports.push(ws.transport);
      // Nobody is answered before all are there.
      connections.push(ws);
      if (connections.length === 10) for (const ws of connections) ws.pipe(ws);
    });
    const converse = await conversationsOf(await open(`https://localhost:${server.port}/`));

    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, number) =>
        converse({
          url: `wss://localhost:${server.port}/${number}`,
          messages: Array.from({ length: 200 }, (_each, index) => `message ${index} on ${number}`),
          close: { code: 1000, reason: '' },
        }),
      ),
    );

    for (const [number, { echoes, closing }] of outcomes.entries()) {
      expect(echoes).to.have.length(200).and.to.include(`message 199 on ${number}`);
      expect(closing.code).to.equal(1000);
    }
    expect(transports).to.deep.equal(Array(10).fill('http2'));
    expect(sessions.size).to.equal(1);
  });

  const messages: readonly Message[] = [
    'Grüße aus Köln 🌍',
    Buffer.of(0, 1, 127, 128, 254, 255),
    '',
    Buffer.alloc(0),
    'x'.repeat(70_000),
  ];

  /** Opens a page and lets it exchange every kind of message, pings and close codes with an `echoListener()`. */
  async function converseFully(port: number, reports: readonly Report[]): Promise<Carriers> {
    const page = await open(`https://localhost:${port}/`);
    const converse = await conversationsOf(page);
    const url = (path: string) => `wss://localhost:${port}${path}`;
    const ask = async (path: string) => {
      const { echoes } = await converse({ url: url(path), messages: ['?'], close: { code: 1000, reason: '' } });
      return String(echoes[0]);
    };

    const { echoes, closing } = await converse({ url: url('/'), messages, close: { code: 4567, reason: 'bye 🌙' } });
    expect(echoes).to.deep.equal(messages);
    expect(closing.code).to.equal(4567);
    const farewell = await converse({ url: url('/close?code=4321&reason=Gute%20Nacht') });
    expect(farewell).to.deep.equal({ echoes: ['last words'], closing: { code: 4321, reason: 'Gute Nacht' } });
    const pinged = await converse({ url: url('/ping'), messages: ['a', 'b'], close: { code: 1000, reason: '' } });
    expect(pinged.echoes).to.include('pong: Are you there?');
    const large = await page.evaluate(`echoLarge(${JSON.stringify(url('/large'))}, ${5 * mebibyte})`);
    expect(large).to.deep.equal({ text: true, bytes: true });
    expect(reports).to.deep.include(['/', { code: 4567, reason: 'bye 🌙' }]);
    return { transport: await ask('/transport'), via: await ask('/via') };
  }

  it('exchanges messages of every kind and of 5 MiB, pings and close codes', async () => {
    const reports: Report[] = [];
    await using server = await serve(echoListener((...report) => reports.push(report)));
    const { transport } = await converseFully(server.port, reports);
    expect(transport).to.equal('http2');
  });

  for (const name of ['haproxy', 'nghttpx'] as const) {
    for (const backend of ['http2', 'http1'] as const) {
      it(`exchanges messages, pings and close codes through ${name}, which speaks ${backend} to our server`, async function () {
        const reports: Report[] = [];
        await using ours = await startBackend(backend, (...report) => reports.push(report));
        const proxy = await startProxy(name, { target: ours.port, backend, certificate }, this);
        try {
          const { transport, via } = await converseFully(proxy.port, reports);
          expect(transport).to.equal(backend);
          // What it has received the request with.
          expect(via).to.match(new RegExp(`^2(\\.0)? ${name}$`));
        } finally {
          await context.close();
          await proxy.stop();
        }
      });
    }
  }
});

describe('The HTTP/2 demo', () => {
  it('speaks WebSocket over HTTP/2 and over HTTP/1.1, and answers other requests with text', async () => {
    const demo = await runDemo('http2Demo.ts');
    try {
      for (const [http2, name] of [
        [true, 'HTTP/2. WebSockets on this session: 1'],
        [false, 'HTTP/1.1'],
      ] as const) {
        const ws = connect(demo.webSocketUrl('/'), { http2, rejectUnauthorized: false });
        expect(await once(ws, 'data')).to.deep.equal([`We talk over ${name}`]);
        ws.write('ECHO');
        expect(await once(ws, 'data')).to.deep.equal(['ECHO']);
        ws.end();
        expect((await ws.whenClosed()).wasClean).to.equal(true);
      }
      const asked = get(demo.httpUrl('/nowhere'), { rejectUnauthorized: false, agent: false });
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      expect(response.statusCode).to.equal(426);
      expect(response.headers.upgrade).to.equal('websocket');
      expect(await text(response)).to.equal('We only speak WebSockets here\n');
    } finally {
      await demo.stop();
    }
  });
});

describe('A server for HTTP/1.1 and HTTP/2 with WebSockets over both', () => {
  let folder: string;
  let server: OurServer;
  let webSockets: WebSocket[];

  const run = async (path: string, ...parameters: readonly string[]) =>
    (await promisify(execFile)(path, parameters, { cwd: folder })).stdout;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'certificate-'));
    await writeFile(join(folder, 'certificate.pem'), certificate.cert);
    server = await serve(echoListener());
    const open = (http2: boolean) =>
      connect(`wss://localhost:${server.port}/`, { ca: certificate.cert, family: 4, http2 });
    webSockets = [open(true), open(true), open(false)];
    await Promise.all(webSockets.map((ws) => once(ws, 'open')));
  });

  afterEach('they are still there', async () => {
    expect(webSockets.map(({ transport }) => transport)).to.deep.equal(['http2', 'http2', 'http1']);
    for (const ws of webSockets) {
      ws.write('still there?');
      expect(await once(ws, 'data')).to.deep.equal(['still there?']);
    }
  });

  after(async () => {
    for (const ws of webSockets) ws.end();
    await Promise.all(webSockets.map((ws) => ws.whenClosed()));
    await server?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  for (const [option, version] of [
    ['--http2', 'HTTP/2.0'],
    ['--http1.1', 'HTTP/1.1'],
  ] as const) {
    it(`answers curl ${option} over ${version}`, async function () {
      const path = need(curl, this);
      const url = `https://localhost:${server.port}/`;
      const said = await run(path, '--silent', '--show-error', '--ipv4', '--cacert', 'certificate.pem', option, url);
      expect(said).to.equal(`${version}\n`);
    });
  }

  it('answers nghttp a hundred times on one session and announces extended CONNECT', async function () {
    const path = need(nghttp, this);
    const before = server.sessions.length;
    const said = await run(path, '--verbose', '--multiply=100', `https://127.0.0.1:${server.port}/`);
    expect(said).to.include('[SETTINGS_ENABLE_CONNECT_PROTOCOL(0x08):1]');
    expect(said.match(/^HTTP\/2\.0$/gm)).to.have.length(100);
    expect(server.sessions.length - before).to.equal(1);
  });

  it('accepts a WebSocket of a client that speaks only HTTP/1.1', async () => {
    const client = new WsClient(`wss://localhost:${server.port}/transport`, { ca: certificate.cert });
    const [message] = await once(client, 'message');
    expect(String(message)).to.equal('http1');
    client.close();
    await once(client, 'close');
  });
});
