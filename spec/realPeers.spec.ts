import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { WebSocket as WsClient } from 'ws';
import { configureServer, connect, type Message } from '../lib/webSocketHandler';
import { launchChromium, type Peer, peers } from './support/peers';
import { type RunningDemo, runDemo } from './support/runDemo';

const mebibyte = 1024 * 1024;

const messages: Readonly<Record<string, Message>> = {
  text: 'Grüße aus Köln',
  binary: Buffer.of(0, 1, 127, 128, 254, 255),
  'empty text': '',
  'empty binary': Buffer.alloc(0),
  '1 MiB of text': 'Echo! '.repeat(mebibyte).slice(0, mebibyte),
  '1 MiB of binary': Buffer.alloc(mebibyte, 'every byte counts'),
  emoji: '👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇺',
};

/** Says of a message what must not change, in a line that can be read when it did. */
function summary(message: Message): string {
  const kind = typeof message === 'string' ? 'text' : 'binary';
  const digest = createHash('sha256').update(message).digest('hex').slice(0, 16);
  return `${kind}, ${Buffer.byteLength(message)} bytes, digest ${digest}`;
}

async function fetchPage(url: string): Promise<Pick<IncomingMessage, 'statusCode' | 'headers'> & { body: string }> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  return { statusCode: response.statusCode, headers: response.headers, body: await text(response) };
}

describe('Real peers', () => {
  let pipeDemo: RunningDemo;
  let farewellServer: Server;
  let farewellUrl: string;
  let compressingServer: Server;
  let compressingUrl: string;
  /** What the latest client and the server have agreed on. */
  let extensions = '';

  before(async () => {
    farewellServer = createServer((_request, response) => {
      response.webSocket?.connect().close(4321, 'Gute Nacht 🌙');
    });
    configureServer(farewellServer);
    await once(farewellServer.listen(0), 'listening');
    farewellUrl = `ws://localhost:${(farewellServer.address() as AddressInfo).port}/`;
    compressingServer = createServer((_request, response) => {
      const ws = response.webSocket?.connect();
      extensions = ws?.extensions ?? '';
      ws?.pipe(ws);
    });
    configureServer(compressingServer, { perMessageDeflate: { threshold: 0 } });
    await once(compressingServer.listen(0), 'listening');
    compressingUrl = `ws://localhost:${(compressingServer.address() as AddressInfo).port}/`;
    pipeDemo = await runDemo('pipeDemo.ts');
  });

  after(async () => {
    await pipeDemo?.stop();
    for (const server of [farewellServer, compressingServer]) {
      const closed = once(server, 'close');
      server.close();
      await closed;
    }
  });

  for (const [name, open] of Object.entries(peers)) {
    describe(name, () => {
      let peer: Peer;

      before(async function () {
        peer = await open(this);
      });

      after(async () => {
        await peer?.dispose();
      });

      it(`echoes through the pipe demo: ${Object.keys(messages).join(', ')}`, async () => {
        const sent = Object.values(messages);

        const { echoes } = await peer.converse({
          url: pipeDemo.webSocketUrl('/'),
          messages: sent,
          close: { code: 1000, reason: '' },
        });

        expect(echoes.map(summary)).to.deep.equal(sent.map(summary));
      });

      it('echoes with permessage-deflate, many messages on one connection', async () => {
        const documents = Array.from({ length: 20 }, (_, id) =>
          JSON.stringify({ id, text: 'much the same '.repeat(id) }),
        );
        const sent = [...documents, ...Object.values(messages), ...documents];

        const { echoes } = await peer.converse({
          url: compressingUrl,
          messages: sent,
          close: { code: 1000, reason: '' },
        });

        expect(extensions).to.match(/^permessage-deflate/);
        expect(echoes.map(summary)).to.deep.equal(sent.map(summary));
      });

      it('gets 1000 when it closes with 1000', async () => {
        const { closing } = await peer.converse({
          url: pipeDemo.webSocketUrl('/'),
          messages: ['Goodbye'],
          close: { code: 1000, reason: 'Done' },
        });

        expect(closing.code).to.equal(1000);
      });

      it('gets its own code when it closes with one', async () => {
        const { closing } = await peer.converse({
          url: pipeDemo.webSocketUrl('/'),
          messages: ['Goodbye'],
          close: { code: 4567, reason: 'Off to bed' },
        });

        expect(closing.code).to.equal(4567);
      });

      it('reads the code and the reason that the server closes with', async () => {
        const { closing } = await peer.converse({ url: farewellUrl });

        expect(closing).to.deep.equal({ code: 4321, reason: 'Gute Nacht 🌙' });
      });

      it('gets its text in capitals on /shout', async () => {
        const { echoes } = await peer.converse({
          url: pipeDemo.webSocketUrl('/shout'),
          messages: ['hello', Buffer.from('hello')],
          close: { code: 1000, reason: '' },
        });

        expect(echoes).to.deep.equal(['HELLO', Buffer.from('hello')]);
      });
    });
  }
});

describe('The pages of the demos, in Chromium', () => {
  let browser: Browser;
  let page: Page;

  before(async function () {
    browser = await launchChromium(this);
  });

  beforeEach(async () => {
    page = await browser.newPage();
  });

  afterEach(async () => {
    await page?.close();
  });

  after(async () => {
    await browser?.close();
  });

  describe('echotest.html of the Connect demo', () => {
    let connectDemo: RunningDemo;

    before(async () => {
      connectDemo = await runDemo('connectDemo.ts');
    });

    after(async () => {
      await connectDemo?.stop();
    });

    beforeEach(async () => {
      await page.goto(connectDemo.httpUrl('/echotest.html'));
    });

    /** An echo as the log shows it, counted from 0; waits until it is there. */
    const echo = (number: number) => page.locator('#log .received .text').nth(number).textContent();

    it('sends a greeting and shows its echo', async () => {
      expect(await echo(0)).to.equal('Hello from your browser');
      expect(await page.locator('#state').textContent()).to.equal('open');
    });

    it('sends typed text, by button or key, and shows the echoes unchanged', async () => {
      await echo(0);

      await page.fill('#message', 'How are you? 👋🏽');
      await page.click('#send');
      expect(await echo(1)).to.equal('How are you? 👋🏽');

      await page.fill('#message', '<b>Fine</b>');
      await page.press('#message', 'Enter');
      expect(await echo(2)).to.equal('<b>Fine</b>');
    });

    it('closes, explains the code, and connects again', async () => {
      await echo(0);

      await page.click('#close');
      expect(await page.locator('#state.closed').textContent()).to.equal('closed: 1000, normal closure');
      expect(await page.isDisabled('#send')).to.equal(true);

      await page.click('#reconnect');
      expect(await echo(1)).to.equal('Hello from your browser');
    });

    it('shows a message when the server has stopped', async () => {
      await echo(0);

      await connectDemo.stop();

      const state = await page.locator('#state.lost').textContent();
      expect(state).to.equal('closed: 1006, the connection was refused or lost');
    });
  });

  describe('the page of the echoes', () => {
    let demos: RunningDemo;

    before(async () => {
      demos = await runDemo('index.ts');
    });

    after(async () => {
      await demos?.stop();
    });

    beforeEach(async () => {
      await page.goto(demos.httpUrl('/echoes.html'));
    });

    /** Waits until a demo's card shows this echo. */
    const echo = (endpoint: string, text: string) =>
      page.locator(`[data-endpoint="${endpoint}"] output`).getByText(text, { exact: true }).waitFor();

    it('runs the echo of every demo', async () => {
      await echo('/std', 'Hello from your browser');
      await echo('/echoserver', 'Hello from your browser');
      await echo('/pipe', 'Hello from your browser');
      await echo('/shout', 'HELLO FROM YOUR BROWSER');
    });

    it('sends typed text to every demo', async () => {
      await page.fill('#message', 'How are you?');
      await page.click('#send');

      await echo('/std', 'How are you?');
      await echo('/echoserver', 'How are you?');
      await echo('/pipe', 'How are you?');
      await echo('/shout', 'HOW ARE YOU?');
    });

    it('links each demo to a page that talks to it', async () => {
      await page.click('[data-endpoint="/shout"] a');

      await page.locator('#log .received').getByText('HELLO FROM YOUR BROWSER', { exact: true }).waitFor();
    });
  });
});

describe('The demos, started as their readers start them', () => {
  const endpoints: Readonly<Record<string, readonly string[]>> = {
    'stdDemo.ts': ['/'],
    'connectDemo.ts': ['/echoserver'],
    'pipeDemo.ts': ['/', '/shout'],
    'index.ts': ['/std', '/echoserver', '/pipe', '/shout'],
  };

  let demo: RunningDemo | undefined;

  afterEach(async () => {
    await demo?.stop();
    demo = undefined;
  });

  for (const [file, paths] of Object.entries(endpoints)) {
    it(`${file} speaks WebSocket at ${paths.join(', ')}, and says so to others`, async () => {
      demo = await runDemo(file);
      for (const path of paths) {
        const client = new WsClient(demo.webSocketUrl(path));
        await once(client, 'open');
        client.send('ECHO');
        const [message] = await once(client, 'message');
        expect(String(message)).to.equal('ECHO');
        client.close();
        await once(client, 'close');

        const { statusCode, headers, body } = await fetchPage(demo.httpUrl(path));
        expect(statusCode).to.equal(426);
        expect(headers.upgrade).to.equal('websocket');
        expect(body).to.equal('We only speak WebSockets here\n');
      }
    });
  }

  for (const version of ['draft76', 'draft03'] as const) {
    it(`stdDemo.ts echoes for a client of ${version}`, async () => {
      demo = await runDemo('stdDemo.ts');
      const client = connect(demo.webSocketUrl('/'), { version });
      client.write('an old acquaintance');
      expect(await once(client, 'data')).to.deep.equal(['an old acquaintance']);
      client.end();
      expect((await client.whenClosed()).wasClean).to.equal(true);
    });
  }

  it('connectDemo.ts serves its page and its icon, and 404 for other paths', async () => {
    demo = await runDemo('connectDemo.ts');

    const page = await fetchPage(demo.httpUrl('/'));
    expect(page.headers['content-type']).to.match(/^text\/html/);
    expect(page.body).to.include('<title>Echo test</title>');

    const icon = await fetchPage(demo.httpUrl('/favicon.ico'));
    expect(icon.headers['content-type']).to.equal('image/x-icon');

    const nothing = await fetchPage(demo.httpUrl('/nowhere'));
    expect(nothing.statusCode).to.equal(404);
  });

  it('exit with an error message when the port is in use', async () => {
    const running = await runDemo('stdDemo.ts');
    demo = running;
    const port = Number(new URL(running.httpUrl('/')).port);

    const complaint = await runDemo('index.ts', port).then(
      async (second) => void (await second.stop()),
      (error: Error) => error.message,
    );

    expect(complaint).to.include('ended with code 1').and.to.include(`Port ${port} is in use.`);
  });
});
