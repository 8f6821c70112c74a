import { mkdtempSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { BrowserContext, Page } from 'playwright-core';
import { configureServer, type HttpResponse } from '../lib/webSocketHandler';
import { createCertificate } from './support/certificate';
import { type OurServer, serveOurs } from './support/ourServer';
import { launchProfile } from './support/peers';

/** A page of an attacker in the browser of a user who is logged in: what Chromium sends for it, and what the server answers. */

const certificate = createCertificate();

/** The cookie of a login, for each policy by which a browser decides whether to send it. */
const policies = ['None', 'Lax', 'Strict'] as const;
const cookies = policies.map((policy) => `${policy}=ann; Secure; HttpOnly; Path=/; SameSite=${policy}`);

const page = (response: HttpResponse) =>
  void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>A page</title>');

/**
 * Logs in on `/login`. A WebSocket gets the cookies that came with its request, as an application that trusts them would use them. On
 * `/unprotected`, the option origins switches the check off.
 */
async function startApplication(transport: string): Promise<OurServer> {
  const server =
    transport === 'HTTP/2' ? createSecureServer({ ...certificate, allowHTTP1: true }) : createServer(certificate);
  configureServer(server as never, { filter: ({ url }) => url === '/unprotected', origins: 'any' });
  return await serveOurs(
    server as never,
    ({ url, headers }, response) => {
      const ws = response.webSocket?.connect();
      if (ws !== undefined) ws.end(`${headers.cookie ?? 'nobody'}, over ${ws.transport}`);
      else {
        if (url === '/login') response.setHeader('Set-Cookie', cookies);
        page(response);
      }
    },
    { filter: ({ url }) => url !== '/unprotected' },
  );
}

/** Opens a WebSocket in a page, and returns its first message, or 'refused'. */
const openedIn = (visited: Page, url: string): Promise<string> =>
  visited.evaluate(
    `new Promise((resolve) => {
      const ws = new WebSocket(${JSON.stringify(url)});
      ws.onmessage = ({ data }) => resolve(data);
      ws.onclose = () => resolve('refused');
    })`,
  ) as Promise<string>;

for (const [name, transport] of [
  ['HTTP/1.1', 'http1'],
  ['HTTP/2', 'http2'],
] as const) {
  describe(`A user of Chromium who is logged in, over ${name}`, function () {
    this.timeout(60_000);

    let folder: string;
    let context: BrowserContext;
    let application: OurServer;
    let attacker: OurServer;

    before(async function () {
      folder = mkdtempSync(join(tmpdir(), 'chromium-'));
      context = await launchProfile(this, folder);
      application = await startApplication(name);
      attacker = await serveOurs(createServer(certificate) as never, (_request, response) => page(response));
    });

    after(async () => {
      await context?.close();
      rmSync(folder, { recursive: true, force: true });
      await application?.[Symbol.asyncDispose]();
      await attacker?.[Symbol.asyncDispose]();
    });

    beforeEach(async () => {
      await context.clearCookies();
      const login = await context.newPage();
      await login.goto(`https://localhost:${application.port}/login`);
    });

    afterEach(async () => {
      for (const visited of context?.pages() ?? []) await visited.close();
    });

    /** What a page of this origin gets from the application, with the default of the option origins and without the check. */
    async function gets(origin: string): Promise<{ readonly default: string; readonly unprotected: string }> {
      const visited = await context.newPage();
      await visited.goto(`${origin}/`);
      const url = `wss://localhost:${application.port}`;
      return {
        default: await openedIn(visited, `${url}/`),
        unprotected: await openedIn(visited, `${url}/unprotected`),
      };
    }

    const withCookies = (...sent: (typeof policies)[number][]) => sent.map((policy) => `${policy}=ann`).join('; ');

    it('has a WebSocket with all cookies in the page of the application', async () => {
      const all = `${withCookies('None', 'Lax', 'Strict')}, over ${transport}`;
      expect(await gets(`https://localhost:${application.port}`)).to.deep.equal({ default: all, unprotected: all });
    });

    for (const [page, host, cookies] of [
      ['another site, for which the browser sends cookies with SameSite=None', '127.0.0.1', withCookies('None')],
      [
        'another origin of the same site, for which the browser sends all cookies',
        'localhost',
        withCookies('None', 'Lax', 'Strict'),
      ],
    ] as const) {
      it(`is protected from a page of ${page}`, async () => {
        const answers = await gets(`https://${host}:${attacker.port}`);
        expect(answers.default).to.equal('refused');
        // Without the check, the attacker has the login of the user.
        expect(answers.unprotected).to.match(new RegExp(`^${cookies}, over`));
      });
    }

    it('is protected from a page without an origin, as in a sandboxed frame', async () => {
      const visited = await context.newPage();
      await visited.goto(`https://localhost:${attacker.port}/`);
      const script = `const ws = new WebSocket('wss://localhost:${application.port}/');
        ws.onmessage = ({ data }) => parent.postMessage(data, '*'); ws.onclose = () => parent.postMessage('refused', '*');`;
      const answer = await visited.evaluate(
        `new Promise((resolve) => {
          addEventListener('message', ({ data, origin }) => resolve([origin, data]));
          const frame = document.createElement('iframe');
          frame.sandbox = 'allow-scripts';
          frame.srcdoc = ${JSON.stringify(`<script>${script}</script>`)};
          document.body.append(frame);
        })`,
      );
      expect(answer).to.deep.equal(['null', 'refused']);
    });
  });
}
