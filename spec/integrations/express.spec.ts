import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect } from 'chai';
import { createApp, start } from '../../demo/frameworks/express';
import { itKeepsTheContract, nextMessage } from './contract';
import { Visitor } from './visitor';

const installed = createRequire(join(__dirname, '../../demo/frameworks/package.json'));

for (const name of ['express', 'express4']) {
  const { version } = installed(`${name}/package.json`) as { version: string };

  describe(`Express ${version}`, () => {
    const framework = installed(name);

    itKeepsTheContract(() =>
      start(
        0,
        createApp(framework, () => {}),
      ),
    );

    it('logs the 101, and has sent the header fields of helmet() and cors() with it', async () => {
      const lines: string[] = [];
      const demo = await start(
        0,
        createApp(framework, (line) => lines.push(line)),
      );
      const { headers } = await new Visitor(demo).acceptance('/api/echo');
      expect(headers).to.include.keys('content-security-policy', 'access-control-allow-credentials', 'ratelimit');
      expect(headers).not.to.have.any.keys('content-encoding');
      expect(lines.join('')).to.match(/^GET \/api\/echo 101 /);
      await demo.close();
    });

    it('refuses a WebSocket by its rate limit', async () => {
      const demo = await start(
        0,
        createApp(framework, () => {}),
      );
      const visitor = new Visitor(demo);
      for (let i = 0; i < 3; i++) await visitor.acceptance('/api/echo');
      expect(await visitor.refusal('/api/echo')).to.include({ statusCode: 429 });
      await demo.close();
    });

    it('ends a WebSocket with 1011 whose handler throws in the turn in which it accepts', async () => {
      const app = createApp(framework, () => {});
      app.set('env', 'test');
      app.get('/thrown', (_request, response) => {
        response.webSocket?.connect().write('hello');
        throw new Error('A mistake in a handler');
      });
      // Routes that are added later stand behind the error handler of the example: this is the one of Express itself.
      const demo = await start(0, app);
      const ws = new Visitor(demo).open('/thrown');
      const failed = once(ws, 'error');
      expect(await nextMessage(ws)).to.equal('hello');
      const [error] = await failed;
      expect(error).to.include({ closeCode: 1011 });
      await demo.close();
    });
  });
}
