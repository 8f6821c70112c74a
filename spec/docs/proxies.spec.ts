import { expect } from 'chai';
import { connect } from '../../lib/webSocketHandler';
import { codeBlock } from '../support/codeBlocks';
import { listen } from '../support/http';
import { startNginx } from '../support/nginx';
import { accepting, freePort, Program } from '../support/program';
import { haproxy, need, nginx } from '../support/tools';

const block = (index: number) => codeBlock('docs/recipes.md', 'Origins behind a proxy', index).code;

/** The configurations of nginx: the directives of a recipe, and a whole location. */
const nginxSites: Readonly<Record<string, string>> = {
  'docs/recipes.md, Origins behind a proxy': `location / { ${block(0)} }`.replace('127.0.0.1:4080', 'TARGET'),
  'docs/api.md, Origins': codeBlock('docs/api.md', 'Origins', 1).code.replace('127.0.0.1:8080', 'TARGET'),
};

/** What a page on the proxy's own host gets, with cookies and the Host that a browser sends. */
async function open(port: number): Promise<void> {
  const origin = `http://localhost:${port}`;
  const ws = connect(`ws://localhost:${port}`, { origin, headers: { Cookie: 'session=1' } });
  expect(await ws.toArray()).to.deep.equal(['welcome']);
}

for (const [place, location] of Object.entries(nginxSites)) {
  describe(place, () => {
    it('nginx passes on what the origin check needs', async function () {
      const path = need(nginx, this);
      await using server = await listen((_req, res) => res.webSocket?.connect().end('welcome'));
      const port = await freePort();
      const site = `server { listen ${port}; ${location.replace('TARGET', `127.0.0.1:${server.port}`)} }`;
      const proxy = await startNginx(path, port, site);
      try {
        await open(port);
      } finally {
        await proxy.stop();
      }
    });
  });
}

describe('docs/recipes.md, Origins behind a proxy', () => {
  it('HAProxy passes on what the origin check needs', async function () {
    const path = need(haproxy, this);
    await using server = await listen((_req, res) => res.webSocket?.connect().end('welcome'));
    const port = await freePort();
    const file = block(1).replace('127.0.0.1:4080', `127.0.0.1:${server.port}`).replace(':8080', `:${port}`);
    const proxy = await Program.start([path, '-db', '-f', 'haproxy.cfg'], { 'haproxy.cfg': file });
    try {
      await accepting(port, proxy);
      await open(port);
    } finally {
      await proxy.stop();
    }
  });
});
