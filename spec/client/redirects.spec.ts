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
    it(`takes a ${status} for what it says`, () => expect(follow('/new', status)).to.equal(undefined));
  }

  it('takes a redirect to nowhere for a refusal', () => expect(follow(undefined)).to.equal(undefined));

  it('keeps everything within the same origin', () => {
    for (const location of ['new', '/new', 'https://example.org/new', 'wss://example.org:443/new#part']) {
      expect(follow(location)).to.deep.equal({ ...target, location: new URL('wss://example.org/new') });
    }
  });

  it('tells another origin no secret: another host, another port', () => {
    for (const location of ['wss://other.example/', '//other.example/', 'https://example.org:8443/']) {
      const next = follow(location);
      expect(next?.headers).to.deep.equal({ 'X-Kept': 'yes' });
      expect(next?.requestOptions).to.deep.equal({ ca: 'authority', localAddress: '127.0.0.1' });
    }
  });

  it('takes along to another origin only options that are known to be safe', () => {
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

  it("leaves Node's agent behind with its certificate, and goes by what else it says", () => {
    const agent = new SecureAgent({ cert: 'certificate', key: 'key', ca: 'authority', servername: 'a' });
    const answer = { statusCode: 302, headers: { location: 'wss://other.example/' } };
    expect(redirected(answer, { ...target, requestOptions: { agent } })?.requestOptions)
      .to.include({ ca: 'authority' })
      .and.to.not.have.any.keys('agent', 'cert', 'key', 'servername');
    const within = { statusCode: 302, headers: { location: '/new' } };
    expect(redirected(within, { ...target, requestOptions: { agent } })?.requestOptions.agent).to.equal(agent);
  });

  it('refuses another origin to an agent or a connection of the program, which may be a certificate or a proxy', () => {
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

  it('tells another scheme no secret either, on the way from ws to wss', () => {
    const plain = { ...target, location: new URL('ws://example.org/') };
    const answer = { statusCode: 301, headers: { location: 'wss://example.org/' } };
    expect(redirected(answer, plain)?.headers).to.deep.equal({ 'X-Kept': 'yes' });
  });

  it('takes no name and password from a redirect', () => {
    const next = follow('wss://admin:root@example.org/new');
    expect([next?.location.href, next?.requestOptions.auth]).to.deep.equal(['wss://example.org/new', 'me:secret']);
  });

  it('refuses to leave TLS', () => {
    for (const location of ['ws://example.org/', 'http://other.example/']) {
      const error = thrownBy(() => follow(location));
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 302]);
      expect(error.message).to.include('not encrypted');
    }
  });

  it('refuses to leave the network, and what it does not understand', () => {
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
