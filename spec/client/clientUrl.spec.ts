import { expect } from 'chai';
import { parseClientUrl } from '../../lib/client/clientUrl';
import { thrownBy } from '../support/thrown';

const parse = (url: string | URL) => {
  const { location, ...address } = parseClientUrl(url);
  return { location: location.href, ...address };
};

describe('parseClientUrl()', () => {
  for (const [url, location] of [
    ['ws://example.org', 'ws://example.org/'],
    ['wss://example.org/a?b=c', 'wss://example.org/a?b=c'],
    ['http://example.org:8080/a', 'ws://example.org:8080/a'],
    ['https://example.org/', 'wss://example.org/'],
    ['https://example.org:443/', 'wss://example.org/'],
    ['WS://EXAMPLE.org/A', 'ws://example.org/A'],
    ['ws://[::1]:8080/', 'ws://[::1]:8080/'],
    ['ws://bücher.example/ü', 'ws://xn--bcher-kva.example/%C3%BC'],
    ['ws://example.org/a#part', 'ws://example.org/a'],
  ] as const) {
    it(`changes ${url} into ${location}`, () => {
      expect(parse(url)).to.deep.equal({ location });
      expect(parse(new URL(url))).to.deep.equal({ location });
    });
  }

  it('removes name and password from the location', () => {
    expect(parse('ws://me:p%40ss@example.org/')).to.deep.equal({ location: 'ws://example.org/', auth: 'me:p@ss' });
    expect(parse('ws://me@example.org/').auth).to.equal('me:');
    expect(parse('ws://:secret@example.org/').auth).to.equal(':secret');
  });

  it('splits ws+unix URLs at the colon into the path of the socket and the path of the request', () => {
    const socketPath = '/run/app.sock';
    expect(parse('ws+unix:/run/app.sock')).to.deep.equal({ location: 'ws://localhost/', socketPath });
    expect(parse('ws+unix:///run/app.sock')).to.deep.equal({ location: 'ws://localhost/', socketPath });
    const asked = { location: 'ws://localhost/chat?room=1', socketPath };
    expect(parse('ws+unix:/run/app.sock:/chat?room=1#part')).to.deep.equal(asked);
    expect(parse('ws+unix:./app.sock:/chat').socketPath).to.equal('./app.sock');
    expect(parse('ws+unix:/run/a b%3Ac.sock:/').socketPath).to.equal('/run/a b:c.sock');
    // A path cannot become another host.
    expect(parse('ws+unix:/run/app.sock://evil.example/').location).to.equal('ws://localhost//evil.example/');
  });

  for (const url of [
    '',
    'nowhere',
    'example.org:80',
    'ftp://example.org',
    'ws+unix:',
    'ws+unix://host/path',
    'ws://',
  ]) {
    it(`refuses '${url}' and names the schemes`, () => {
      const { code, message } = thrownBy(() => parseClientUrl(url));
      expect([code, message.includes('ws+unix:/path')]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
    });
  }

  it('refuses malformed escapes', () => {
    for (const url of ['ws://%zz@example.org', 'ws+unix:/run/%zz']) {
      expect(thrownBy(() => parseClientUrl(url)).message).to.include('malformed escape');
    }
  });
});
