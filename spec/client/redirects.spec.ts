import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { redirected } from '../../lib/client/redirects';
import { thrownBy } from '../support/thrown';

const target = {
  location: new URL('wss://example.org/old'),
  headers: { Authorization: 'Basic eA==', COOKIE: 'session=1', Host: 'virtual.example', 'X-Kept': 'yes' },
  requestOptions: {
    auth: 'me:secret',
    cert: 'certificate',
    key: 'key',
    passphrase: 'words',
    pfx: 'both',
    servername: 'virtual.example',
    socketPath: '/run/app.sock',
    ca: 'authority',
    localAddress: '127.0.0.1',
  },
};

const follow = (location: string | undefined, statusCode = 302) =>
  redirected({ statusCode, headers: location === undefined ? {} : { location } }, target);

describe('redirected()', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`follows a ${status}`, () => expect(follow('/new', status)?.location.href).to.equal('wss://example.org/new'));
  }

  for (const status of [200, 300, 304, 305, 306, 401, 503]) {
    it(`does not follow a ${status}`, () => expect(follow('/new', status)).to.equal(undefined));
  }

  it('does not follow a redirect without a Location', () => expect(follow(undefined)).to.equal(undefined));

  it('keeps all headers and options within the same origin', () => {
    for (const location of ['new', '/new', 'https://example.org/new', 'wss://example.org:443/new#part']) {
      expect(follow(location)).to.deep.equal({ ...target, location: new URL('wss://example.org/new') });
    }
  });

  it('sends no secret to another host or another port', () => {
    for (const location of ['wss://other.example/', '//other.example/', 'https://example.org:8443/']) {
      const next = follow(location);
      expect(next?.headers).to.deep.equal({ 'X-Kept': 'yes' });
      expect(next?.requestOptions).to.deep.equal({ ca: 'authority', localAddress: '127.0.0.1' });
    }
  });

  it('keeps only options that are known to be safe for another origin', () => {
    const identity = { secureContext: {}, session: 'a', pskCallback: () => null, clientCertEngine: 'a' };
    const requestOptions = {
      ...identity,
      privateKeyIdentifier: 'a',
      somethingNew: 'a',
      minVersion: 'TLSv1.3',
    } as object;
    const answer = { statusCode: 302, headers: { location: 'wss://other.example/' } };
    expect(redirected(answer, { ...target, requestOptions })?.requestOptions).to.deep.equal({ minVersion: 'TLSv1.3' });
    expect(redirected(answer, { ...target, requestOptions: { agent: false } })?.requestOptions).to.deep.equal({
      agent: false,
    });
  });

  it('drops an agent of Node with its certificate and keeps its safe options', () => {
    const agent = new SecureAgent({ cert: 'certificate', key: 'key', ca: 'authority', servername: 'a' });
    const answer = { statusCode: 302, headers: { location: 'wss://other.example/' } };
    expect(redirected(answer, { ...target, requestOptions: { agent } })?.requestOptions)
      .to.include({ ca: 'authority' })
      .and.to.not.have.any.keys('agent', 'cert', 'key', 'servername');
    const within = { statusCode: 302, headers: { location: '/new' } };
    expect(redirected(within, { ...target, requestOptions: { agent } })?.requestOptions.agent).to.equal(agent);
  });

  it('refuses another origin if the program gave an agent or createConnection', () => {
    class ProxyAgent extends Agent {}
    for (const [name, requestOptions] of Object.entries({
      agent: { agent: new ProxyAgent() },
      createConnection: { createConnection: () => new Socket() },
    })) {
      const answer = { statusCode: 302, headers: { location: 'wss://other.example/' } };
      const error = thrownBy(() => redirected(answer, { ...target, requestOptions }));
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 302]);
      expect(error.message).to.include(`option ${name} may be for wss://example.org only`);
    }
  });

  it('sends no secret on the way from ws to wss', () => {
    const plain = { ...target, location: new URL('ws://example.org/') };
    const answer = { statusCode: 301, headers: { location: 'wss://example.org/' } };
    expect(redirected(answer, plain)?.headers).to.deep.equal({ 'X-Kept': 'yes' });
  });

  it('removes name and password from the Location', () => {
    const next = follow('wss://admin:root@example.org/new');
    expect([next?.location.href, next?.requestOptions.auth]).to.deep.equal(['wss://example.org/new', 'me:secret']);
  });

  it('refuses a redirect from wss to ws', () => {
    for (const location of ['ws://example.org/', 'http://other.example/']) {
      const error = thrownBy(() => follow(location));
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 302]);
      expect(error.message).to.include('not encrypted');
    }
  });

  it('refuses a Location with another scheme or without a valid URL', () => {
    for (const location of [
      'ws+unix:/run/docker.sock:/',
      'file:///etc/passwd',
      'javascript:x',
      'http://[',
      'ws://%zz@',
    ]) {
      const error = thrownBy(() => follow(location));
      expect([error.code, error.headers]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', { location }]);
    }
  });
});
