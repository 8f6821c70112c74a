import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { checkLinks, externalLinks, externalLinksIn } from '../../scripts/externalLinks';

describe('The external links of the documentation', () => {
  it('are absolute URLs with https, without a comma or a full stop at their end', () => {
    const links = [...externalLinks().keys()];
    expect(links).to.have.length.above(20);
    expect(links.filter((link) => !/^https:/.test(link) || !URL.canParse(link) || /[.,;:]$/.test(link))).to.deep.equal(
      [],
    );
  });

  it('are found in text and tables, but not in code, and without links to the files of the repository', () => {
    const markdown = [
      '[a](https://a.example/) ![b](https://b.example/b.png) [`c`](https://c.example/#c) [d](d.md)',
      '`[e](https://e.example)`',
      '```js\n[f](https://f.example)\n```',
      '[g](https://github.com/node-websocket-handler/node-websocket-handler/blob/main/README.md)',
    ].join('\n\n');
    expect(externalLinksIn(markdown)).to.deep.equal([
      'https://a.example/',
      'https://b.example/b.png',
      'https://c.example/#c',
    ]);
  });
});

describe('npm run docs:links', () => {
  it('tries GET after HEAD, tries again after an error of the server, and knows pages that are gone', async () => {
    const requests: string[] = [];
    const statuses: Readonly<Record<string, (method: string) => number>> = {
      '/alive': () => 200,
      '/onlyGet': (method) => (method === 'GET' ? 200 : 405),
      '/busy': () => (requests.filter((each) => each.endsWith('/busy')).length > 2 ? 200 : 503),
      '/notForPrograms': () => 403,
    };
    const server = createServer(({ method = '', url = '' }, response) => {
      requests.push(`${method} ${url}`);
      response.writeHead(statuses[url]?.(method) ?? 404).end();
    }).listen(0);
    await once(server, 'listening');
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    const paths = ['/alive', '/onlyGet', '/busy', '/notForPrograms', '/gone'];
    const results = await checkLinks(
      paths.map((path) => origin + path),
      0,
    );
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    // There is nothing at this port any more.
    const [lost] = await checkLinks([`${origin}/alive`], 0);

    const found = Object.fromEntries(
      results.map(({ url, state, detail }) => [url.slice(origin.length), [state, detail]]),
    );
    expect(found).to.deep.equal({
      '/alive': ['alive', '200'],
      '/onlyGet': ['alive', '200'],
      '/busy': ['alive', '200'],
      '/notForPrograms': ['refused', '403'],
      '/gone': ['dead', '404'],
    });
    expect(requests.filter((each) => each.endsWith('/alive'))).to.deep.equal(['HEAD /alive']);
    expect(lost?.state).to.equal('dead');
    expect(lost?.detail).to.include('fetch failed');
  });
});
