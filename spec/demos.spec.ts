import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { WebSocket as WsClient } from 'ws';
import { homepage } from '../package.json';
import { accessibilityViolations, keyboardFaults } from './support/accessibility';
import { launchChromium } from './support/peers';
import { type RunningDemo, runDemo } from './support/runDemo';

describe('The pages of npm run demo, in Chromium', function () {
  // Pages are slow where other specs have the processor too.
  this.timeout(300_000);
  let browser: Browser;
  let page: Page;
  let demos: RunningDemo;
  /** What the page has complained about. */
  let complaints: string[];

  before(async function () {
    browser = await launchChromium(this);
    demos = await runDemo('index.ts');
  });

  beforeEach(async () => {
    complaints = [];
    // Nobody has signed the certificate of the page for HTTP/2.
    page = await browser.newPage({ ignoreHTTPSErrors: true });
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on(
      'response',
      (response) => response.status() >= 400 && complaints.push(`${response.status()} ${response.url()}`),
    );
    // Everything in these specs happens within seconds of its cause; Mocha's own limit says which step has not.
    page.setDefaultTimeout(0);
  });

  afterEach(async () => {
    await page?.close();
    expect(complaints).to.deep.equal([]);
  });

  after(async () => {
    await browser?.close();
    await demos?.stop();
  });

  /** Opens a page, and waits until it is connected. */
  async function open(path: string): Promise<void> {
    await page.goto(demos.httpUrl(path));
    await page.locator('#state.open').waitFor();
  }

  describe('the index page', () => {
    it('links to every demo, to the documentation and to the repository', async () => {
      await open('/');
      await page.getByRole('link', { name: 'Repository' }).waitFor();

      const all = await page.locator('main a, .documentation a').evaluateAll((each) => each.map(({ href }) => href));
      const links = all.filter((link) => link !== homepage);

      expect(links)
        .to.have.lengthOf(all.length - 1)
        .and.above(3);
      for (const link of links) {
        const response = await page.request.get(link);
        expect(response.status(), link).to.equal(200);
      }
    });

    it('is left by the keyboard: the first Tab skips to the demo, the next ones go through the navigation', async () => {
      await open('/');
      await page.locator('nav a').first().waitFor();
      const focused = () => page.evaluate('document.activeElement.textContent');

      await page.keyboard.press('Tab');
      expect(await focused()).to.equal('Skip to the demo');
      await page.keyboard.press('Tab');
      expect(await focused()).to.equal('node-websocket-handler');
    });

    it('tells that the server was killed, with the close code, and connects to the next one by itself', async () => {
      const first = await runDemo('index.ts');
      await page.goto(first.httpUrl('/'));
      await page.locator('#state.open').waitFor();

      await first.stop('SIGKILL');
      await page.getByText('1006, the connection was refused or lost. Connecting again…').waitFor();

      const second = await runDemo('index.ts', first.port);
      await page.locator('#state.open').waitFor();
      await second.stop();
    });
  });

  it('the server closes its WebSockets with 1001 when it is interrupted, and ends', async () => {
    const server = await runDemo('index.ts');
    const client = new WsClient(server.webSocketUrl('/std'));
    await once(client, 'open');
    const closed = once(client, 'close');

    const stopped = server.stop('SIGINT');

    expect((await closed)[0]).to.equal(1001);
    expect(await stopped).to.deep.equal([0, null]);
  });

  it('the server ends when it is interrupted, whatever pages are open', async () => {
    const server = await runDemo('index.ts');
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    for (const path of ['backpressure', 'chat', 'files', 'http2', 'mqtt', 'status', 'tail', 'transforms']) {
      const other = await context.newPage();
      await other.goto(server.httpUrl(`/${path}.html`));
      await other.locator('#state.open').waitFor();
    }

    expect(await server.stop('SIGINT')).to.deep.equal([0, null]);
    await context.close();
  });

  it('the echoes show long text cut, with its length, and bytes by their first ones', async () => {
    await page.goto(demos.httpUrl('/echotest.html?endpoint=/pipe'));
    await page.locator('#log .received').first().waitFor();

    await page.fill('#message', 'x'.repeat(1024 * 1024));
    await page.click('#send');

    await page.locator('#log .received', { hasText: 'x… (1,048,576 characters)' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).to.equal(true);
    expect(
      await page.evaluate(
        `import('/display.js').then(({ describe }) => describe(new Uint8Array(1000).fill(7).buffer))`,
      ),
    ).to.equal('1,000 bytes: 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 …');
  });

  it('no page is wider than a small phone', async () => {
    await page.setViewportSize({ width: 360, height: 640 });
    const names = 'backpressure chat echoes echotest files http2 index mqtt status tail tcp transforms'.split(' ');
    for (const name of names) {
      await page.goto(demos.httpUrl(`/${name}.html`), { waitUntil: 'networkidle' });
      expect(await page.evaluate('document.documentElement.scrollWidth'), name).to.equal(360);
    }
  });

  describe('can be used by everyone: axe-core finds no fault, wide and light or narrow and dark, and Tab reaches all', () => {
    /** What is done on a page before it is checked, so that it shows more than its empty forms. */
    const uses: Readonly<Record<string, () => Promise<void>>> = {
      backpressure: async () => {},
      chat: async () => {
        await page.fill('#message', 'hello');
        await page.keyboard.press('Enter');
        await page.locator('#log p').first().waitFor();
      },
      echoes: async () => {},
      echotest: () => page.locator('#log .received').first().waitFor(),
      files: async () => {
        await page.setInputFiles('#file', { name: 'a', mimeType: 'text/plain', buffer: Buffer.alloc(1000) });
        await page.getByText('The file came back as it was sent.').waitFor();
      },
      http2: async () => {
        await page.fill('#number', '2');
        await page.click('#open');
        await page.locator('#results tr').nth(1).waitFor();
      },
      index: async () => {},
      mqtt: async () => {
        await page.getByRole('button', { name: 'Publish' }).click();
        await page.locator('#received p').first().waitFor();
      },
      status: async () => {},
      tail: () => page.locator('#lines p').first().waitFor(),
      tcp: async () => {
        await page.getByRole('button', { name: 'Send' }).click();
        await page.getByText('closed: 1000, normal closure').waitFor();
      },
      transforms: () => page.locator('#results p').first().waitFor(),
    };

    for (const [name, use] of Object.entries(uses))
      it(`${name}.html`, async () => {
        await page.goto(demos.httpUrl(`/${name}.html`), { waitUntil: 'networkidle' });
        // What is sent before there is a connection stays in its field. The page of the echoes shows no state, and that of TCP connects when it is used.
        if (!['echoes', 'tcp'].includes(name)) await page.locator('#state.open').waitFor();
        await use();
        await page.emulateMedia({ colorScheme: 'light' });
        expect(await accessibilityViolations(page)).to.deep.equal([]);
        await page.emulateMedia({ colorScheme: 'dark' });
        await page.setViewportSize({ width: 360, height: 640 });
        expect(await accessibilityViolations(page)).to.deep.equal([]);
        expect(await keyboardFaults(page)).to.deep.equal([]);
      });

    it('every page is checked', () => {
      const pages = readdirSync(join(__dirname, '..', 'demo', 'public')).filter((file) => file.endsWith('.html'));
      expect(Object.keys(uses).map((name) => `${name}.html`)).to.have.members(pages);
    });
  });

  it('the source of a demo is the text of its file', async () => {
    const response = await page.request.get(demos.httpUrl('/source/index.ts'));
    expect(response.headers()['content-type']).to.equal('text/plain; charset=utf-8');
    expect(await response.text()).to.equal(readFileSync(join(__dirname, '..', 'demo', 'index.ts'), 'utf8'));
  });

  describe('Pipe', () => {
    beforeEach(() => open('/transforms.html'));

    const result = (text: string) => page.locator('#results').getByText(text, { exact: true }).first().waitFor();

    it('sends a message through the steps that are checked, and shows what each has cost', async () => {
      await result('}"RESWORB RUOY MORF" :"OLLEH"{');
      expect(await page.locator('#chain li').allTextContents()).to.satisfy(
        ([first, upper, reverse, last]: string[]) =>
          /^browser/.test(first ?? '') &&
          /^upper case30 bytes, \d+ µs$/.test(upper ?? '') &&
          /^reverse30 bytes, \d+ µs$/.test(reverse ?? '') &&
          /^browser/.test(last ?? ''),
      );
    });

    it('drops what is not JSON, when that is asked for, and shows bytes by the first of them', async () => {
      await page.getByLabel('Only JSON').check();
      await page.getByLabel('gzip').check();
      await page.locator('#state.open').waitFor();

      await page.fill('#message', 'no JSON');
      await page.keyboard.press('Enter');
      await result('Dropped on the way.');

      await page.fill('#message', '12');
      await page.keyboard.press('Enter');
      // The first bytes of a gzip file (RFC 1952 §2.3.1).
      await page.locator('#results').getByText('22 bytes: 1f 8b 08').waitFor();
    });

    it('sends a thousand messages, and shows how long they took', async () => {
      await page.click('#many');
      await page.getByText(/^1,000 messages there and back in [\d.]+ ms$/).waitFor();
    });
  });

  describe('Backpressure', () => {
    /** The bytes that a cell of the table shows. */
    const bytes = (server: 'ours' | 'other', column: 'rate' | 'queue' | 'memory') =>
      `(() => {
        const index = { rate: 1, queue: 2, memory: 3 }['${column}'];
        const [value, unit] = document.getElementById('${server}').cells[index].textContent.split(/ |\\//);
        return Number(value) * { byte: 1, bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[unit];
      })()`;

    it('starts to read at the first click, also while the server with ws has not started yet', async () => {
      let release = () => {};
      await page.routeWebSocket('**/backpressure/figures', (toPage) => {
        toPage.connectToServer().onMessage((message) => {
          // The figures come after the port.
          if (!String(message).includes('portOfTheOther')) return toPage.send(message);
          release = () => toPage.send(message);
        });
      });
      await open('/backpressure.html');
      await page.click('#start');
      await page.getByRole('button', { name: 'Stop reading' }).waitFor();
      await page.getByText('The server with ws is still starting.').waitFor();
      await page.waitForFunction(`${bytes('ours', 'rate')} > 0`);
      release();
      await page.waitForFunction(`${bytes('other', 'rate')} > 0`);
      expect(await page.locator('#note').textContent()).to.equal('');
      await page.click('#start');
      await page.getByRole('button', { name: 'Start reading' }).waitFor();
    });

    it('keeps the queue of this library at its mark while that of ws grows, until the demo cuts it', async () => {
      await open('/backpressure.html');
      await page.waitForFunction(`${bytes('other', 'memory')} > 0`);
      await page.fill('#speed', '0');
      await page.click('#start');

      await page.waitForFunction(`${bytes('other', 'queue')} > 64 * 1024 ** 2`);
      expect(await page.evaluate(bytes('ours', 'queue'))).to.be.within(0, 128 * 1024);
      expect(await page.evaluate(bytes('other', 'memory'))).to.be.above(64 * 1024 ** 2);
      // The source of this library waits for the reader.
      await page.waitForFunction(`${bytes('ours', 'rate')} < 1024 ** 2`);

      await page.getByText('the demo has cut the connection').waitFor();
      expect(await page.evaluate(bytes('ours', 'queue'))).to.be.within(0, 128 * 1024);
    });
  });

  describe('Files', () => {
    beforeEach(() => open('/files.html'));

    it('sends a file there and back, and shows the same checksum at each station', async () => {
      const buffer = Buffer.alloc(3_000_000, 'a file');
      await page.setInputFiles('#file', { name: 'file.txt', mimeType: 'text/plain', buffer });

      await page.getByText('The file came back as it was sent.').waitFor();
      const checksum = crc32(buffer).toString(16).padStart(8, '0');
      for (const row of ['before', 'server', 'after']) {
        expect(await page.locator(`#${row} td`).allTextContents()).to.include.members(['3,000,000 bytes', checksum]);
      }
    });

    /** Chooses a file, and pauses in the same turn of the page's event loop: before the first byte. */
    const startPaused = () =>
      page.evaluate(`(() => {
        const chosen = new DataTransfer();
        chosen.items.add(new File([new Uint8Array(3000000)], 'zeros.bin'));
        const file = document.getElementById('file');
        file.files = chosen.files;
        file.dispatchEvent(new Event('change'));
        document.getElementById('pause').click();
      })()`);

    it('takes nothing while it is paused, and all of it afterwards', async () => {
      await startPaused();
      // The server reports ten times a second.
      await page.evaluate(`new Promise((resolve) => {
        let reports = 0;
        new MutationObserver(() => ++reports === 10 && resolve()).observe(document.getElementById('memoryText'), { childList: true });
      })`);
      expect(await page.locator('#server td').nth(1).textContent()).to.equal('0 bytes');

      await page.getByRole('button', { name: 'Resume' }).click();
      await page.getByText('The file came back as it was sent.').waitFor();
      expect(await page.locator('#percent').textContent()).to.equal('100 %');
    });

    it('cancels a file that is on its way', async () => {
      await startPaused();
      await page.click('#cancel');
      await page.getByText('The transfer was cut short.').waitFor();
      expect(await page.isDisabled('#cancel')).to.equal(true);
    });
  });

  describe('Chat', () => {
    it('shows names, presence and history in two tabs', async () => {
      await open('/chat.html');
      await page.fill('#name', 'Ada');
      await page.keyboard.press('Tab');
      await page.locator('#members').getByText('Ada', { exact: true }).waitFor();
      await page.fill('#message', '<i>Good morning</i>');
      await page.keyboard.press('Enter');
      await page.locator('#log').getByText('<i>Good morning</i>').waitFor();

      const other = await browser.newPage();
      await other.goto(demos.httpUrl('/chat.html'));
      await other.fill('#name', 'Grace');
      await other.keyboard.press('Tab');
      await other.locator('#log .received', { hasText: '<i>Good morning</i>' }).waitFor();
      await page.locator('#members').getByText('Grace', { exact: true }).waitFor();

      await other.close();
      await page.locator('#members').getByText('Grace', { exact: true }).waitFor({ state: 'detached' });
    });

    it('shows the last messages again when the page is reloaded, and each once when the connection is lost', async () => {
      await open('/chat.html');
      await page.fill('#message', 'Good afternoon');
      await page.keyboard.press('Enter');
      const said = page.locator('#log').getByText('Good afternoon');
      await said.waitFor();

      await page.reload();
      await said.waitFor();
      // Another name is another connection, which goes on after the last message.
      await page.fill('#name', 'Linus');
      await page.keyboard.press('Tab');
      await page.locator('#members').getByText('Linus', { exact: true }).waitFor();
      await page.fill('#message', 'Good night');
      await page.keyboard.press('Enter');
      await page.locator('#log').getByText('Good night').waitFor();
      expect(await said.count()).to.equal(1);
    });

    it('lets a slow reader catch up without loss, and holds up nobody', async () => {
      const slow = await browser.newPage();
      await slow.goto(demos.httpUrl('/chat.html'));
      await slow.fill('#name', 'Snail');
      await slow.keyboard.press('Tab');
      await slow.locator('#members').getByText('Snail', { exact: true }).waitFor();
      await slow.check('#slow');

      await open('/chat.html');
      await page.fill('#name', 'Hare');
      await page.keyboard.press('Tab');
      await page.locator('#members').getByText('Snail', { exact: true }).waitFor();
      await page.click('#burst');

      const lastOf = (each: typeof page) =>
        each
          .locator('#log')
          .getByText(/^1000 of a burst .*… \(16,\d{3} characters\)$/)
          .waitFor();
      await lastOf(page);
      const reads = (name: string, what: string) =>
        page.locator('#members tr', { hasText: name }).locator('td:nth-child(4)', { hasText: what }).waitFor();
      await reads('Snail', 'history');
      await reads('Hare', 'live');

      // The page shows the last hundred messages: none of them is missing.
      await slow.uncheck('#slow');
      await lastOf(slow);
      await reads('Snail', 'live');
      const texts = await slow.locator('#log .received .text').allTextContents();
      expect(texts.map(Number.parseFloat)).to.deep.equal(Array.from({ length: 100 }, (_, i) => 901 + i));
      await slow.close();
    });
  });

  describe('Log', () => {
    it('shows the lines of the log as it grows, and only those that the filter lets pass', async () => {
      await open('/tail.html');
      await page.click('#noise');
      await page.locator('#lines p', { hasText: '/pipe message-received' }).nth(2).waitFor();

      await page.fill('#filter', '/pipe close 1000');
      await page.keyboard.press('Enter');
      await page.click('#noise');
      await page.locator('#lines p', { hasText: '/pipe close 1000' }).first().waitFor();
      const lines = await page.locator('#lines p').allTextContents();
      expect(lines.filter((line) => !line.includes('/pipe close 1000'))).to.deep.equal([]);
    });
  });

  describe('TCP', () => {
    it('lets the browser speak HTTP, and closes with 1000 when the server has ended the connection', async () => {
      await page.goto(demos.httpUrl('/tcp.html'));
      await page.locator('nav a').first().waitFor();
      await page.getByRole('button', { name: 'Send' }).click();

      await page.getByText('closed: 1000, normal closure').waitFor();
      expect(await page.locator('#answer').textContent()).to.match(
        /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n# API\n.*… \([\d,]+ characters\)$/s,
      );
    });
  });

  describe('MQTT', () => {
    it('publishes to subscribers on other pages, and keeps what is to be retained', async () => {
      await open('/mqtt.html');
      await page.check('#retain');
      await page.fill('#message', 'Good morning');
      await page.getByRole('button', { name: 'Publish' }).click();
      await page.locator('#received').getByText('demo/greeting: Good morning').waitFor();

      const other = await browser.newPage();
      await other.goto(demos.httpUrl('/mqtt.html'));
      await other.locator('#received').getByText('demo/greeting: Good morning').waitFor();
      await other.fill('#message', 'Good evening');
      await other.getByRole('button', { name: 'Publish' }).click();
      await page.locator('#received').getByText('demo/greeting: Good evening').waitFor();
      await other.close();
    });
  });

  describe('HTTP/2', () => {
    it('opens WebSockets on one connection, and as many over HTTP/1.1 on as many', async () => {
      await open('/http2.html');
      expect(new URL(page.url()).protocol).to.equal('https:');
      await page.fill('#number', '20');
      await page.click('#open');

      const row = (name: string) => page.locator('#results tr', { hasText: name }).locator('td').allTextContents();
      await page.locator('#results tr').nth(1).waitFor();
      const [http2, http1] = [await row('HTTP/2'), await row('HTTP/1.1')];
      expect(http2.slice(0, 3)).to.deep.equal(['HTTP/2', '20', '1']);
      expect(http1.slice(0, 3)).to.deep.equal(['HTTP/1.1', '20', '20']);
      for (const time of [...http2.slice(3), ...http1.slice(3)]) expect(time).to.match(/^\d+\.\d ms$/);
    });

    it('leads back to the other pages', async () => {
      await open('/http2.html');
      await page.getByRole('link', { name: 'Pipe' }).click();
      await page.locator('#state.open').waitFor();
      expect(page.url()).to.equal(demos.httpUrl('/transforms.html'));
    });
  });

  describe('Status', () => {
    it('shows the counters of the server, which rise, and how its connections have ended', async () => {
      const client = new WsClient(demos.webSocketUrl('/std'));
      await once(client, 'open');
      client.close(4321);
      await once(client, 'close');

      await open('/status.html');
      await page.locator('#codes tr', { hasText: '4321' }).waitFor();
      const figure = (name: string) =>
        `(() => {
          const terms = [...document.querySelectorAll('#figures dt')];
          return parseFloat(terms.find(({ textContent }) => textContent === '${name}').nextSibling.textContent.replaceAll(',', ''));
        })()`;
      expect(await page.evaluate(figure('open connections'))).to.be.at.least(2);
      const before = await page.evaluate(figure('messages received'));
      await page.waitForFunction(`${figure('messages received')} > ${before}`);
      await page.waitForFunction(`${figure('echo, p99 of 500')} > 0`);
      expect(await page.evaluate(figure('memory of the process'))).to.be.above(0);
    });
  });
});
