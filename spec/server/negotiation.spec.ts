import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  connect as connectHttp2,
  createSecureServer as createHttp2Server,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { OpeningRequest } from '../../lib/contracts';
import { negotiate } from '../../lib/server/negotiation';
import { knownVersions } from '../../lib/versions';
import { configureServer, isWebSocketRequest, type ServerOptions } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { ask, listen, openingRequest, RawClient, serve, type TestServer } from '../support/http';
import { extendedConnect, statusOf } from '../support/http2';
import { thrownBy } from '../support/thrown';

describe('isWebSocketRequest()', () => {
  const request = (headers: IncomingMessage['headers']) => ({ headers }) as IncomingMessage;

  it('returns true for the tokens in any case and among other tokens', () => {
    expect(isWebSocketRequest(request({ upgrade: 'WebSocket', connection: 'keep-alive, UPGRADE' }))).to.equal(true);
    expect(isWebSocketRequest(request({ upgrade: 'h2c, websocket', connection: 'upgrade' }))).to.equal(true);
  });

  it('returns false for other protocols and for an upgrade without Connection: Upgrade', () => {
    expect(isWebSocketRequest(request({ upgrade: 'h2c', connection: 'upgrade' }))).to.equal(false);
    expect(isWebSocketRequest(request({ upgrade: 'websocket', connection: 'keep-alive' }))).to.equal(false);
    expect(isWebSocketRequest(request({ upgrade: 'websocketx', connection: 'upgrade' }))).to.equal(false);
  });

  it('returns false for a request whose headers Node has cut off', () => {
    expect(isWebSocketRequest(request({}))).to.equal(false);
  });
});

describe('negotiate()', () => {
  const good = {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  };

  interface Changes {
    readonly headers?: IncomingMessage['headers'];
    readonly socket?: object;
    readonly authority?: string | undefined;
    readonly versions?: OpeningRequest['versions'];
  }

  function opening({ headers = {}, socket, versions = knownVersions, ...rest }: Changes = {}): OpeningRequest {
    const authority = 'authority' in rest ? rest.authority : 'example.org';
    return { request: { headers: { ...good, ...headers }, socket }, authority, versions } as unknown as OpeningRequest;
  }

  const refusalOf = (changes: Changes, options: ServerOptions = {}) =>
    thrownBy(() => negotiate(opening(changes), options));

  it('returns the version, the subprotocols and the extensions of the request', () => {
    const headers = { 'sec-websocket-protocol': 'chat, log', 'sec-websocket-extensions': 'x; a=1' };
    const { version, protocols, extensions } = negotiate(opening({ headers, authority: undefined }), {});
    expect({ version, protocols, extensions }).to.deep.equal({
      version: '13',
      protocols: ['chat', 'log'],
      extensions: [{ name: 'x', parameters: [['a', '1']] }],
    });
  });

  it('names in the error what is wrong with a header', () => {
    const messages: [changes: Changes, message: string][] = [
      [{ authority: 'a@b' }, 'Host must be a host name or an address, with or without a port, not a@b'],
      [{ headers: { 'sec-websocket-protocol': 'a, a' } }, 'Sec-WebSocket-Protocol must be a list of distinct tokens'],
      [{ headers: { 'sec-websocket-extensions': ';' } }, 'Sec-WebSocket-Extensions is malformed'],
    ];
    for (const [changes, message] of messages) {
      const error = refusalOf(changes);
      expect(error.message).to.include(message);
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_INVALID_HANDSHAKE', 400]);
    }
  });

  for (const version of [
    '01',
    '256',
    '260',
    '300',
    '1a0',
    '10a',
    '1000',
    '25a',
    '2a0',
    '20a',
    '13a',
    'a13',
    '13, 13',
    '',
  ]) {
    it(`answers 400 with the versions to the malformed version ${JSON.stringify(version)} (RFC 6455 §4.3)`, () => {
      const error = refusalOf({ headers: { 'sec-websocket-version': version } });
      expect([error.statusCode, error.headers]).to.deep.equal([400, { 'Sec-WebSocket-Version': '13, 8, 7' }]);
      expect(error.message).to.include('Sec-WebSocket-Version is malformed');
    });
  }

  it('answers 400 to a request without a version, and says that it is missing', () => {
    const { ['sec-websocket-version']: _version, ...headers } = good;
    const request = { ...opening(), request: { headers } } as unknown as OpeningRequest;
    const error = thrownBy(() => negotiate(request, {}));
    expect([error.statusCode, error.message.endsWith('Sec-WebSocket-Version is missing')]).to.deep.equal([400, true]);
  });

  for (const version of ['0', '9', '14', '99', '100', '199', '200', '249', '250', '255']) {
    it(`answers 426 to the unknown version ${version}, and lists the versions`, () => {
      const error = refusalOf({ headers: { 'sec-websocket-version': version } });
      expect(error.message).to.include(`${version}; this server speaks 13, 8, 7, draft03, draft76`);
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_UNSUPPORTED_VERSION', 426]);
    });
  }

  it('accepts and lists only versions that the transport and the option versions have', () => {
    const headers = { 'sec-websocket-version': '8' };
    expect(refusalOf({ headers, versions: ['13'] }).headers).to.include({ 'Sec-WebSocket-Version': '13' });
    expect(refusalOf({ headers }, { versions: ['13', 'draft76'] }).headers).to.include({
      'Sec-WebSocket-Version': '13',
    });
    expect(negotiate(opening({ headers }), {}).version).to.equal('8');
  });

  it('lists no version if all of the accepted ones have names in place of numbers', () => {
    const error = refusalOf({}, { versions: ['draft76', 'draft03'] });
    expect([error.statusCode, error.headers]).to.deep.equal([
      426,
      { Upgrade: 'websocket', Connection: 'Upgrade, close' },
    ]);
  });

  it('names the credentials for which the origin of a request matters', () => {
    const origin = 'https://evil.example';
    const credentials: [what: string, changes: Changes][] = [
      ['cookies', { headers: { origin, cookie: 'session=1' } }],
      ['an Authorization header', { headers: { origin, authorization: 'Basic eDp5' } }],
      ['a TLS client certificate', { headers: { origin }, socket: { getPeerCertificate: () => ({ subject: {} }) } }],
    ];
    for (const [what, changes] of credentials) {
      const error = refusalOf(changes);
      expect(error.message).to.include(`example.org (Host), and the request carries ${what}`);
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_ORIGIN_REFUSED', 403]);
    }
  });

  it('refuses an origin with credentials if the request does not name its host', () => {
    const headers = { origin: 'https://evil.example', cookie: 'session=1' };
    const error = refusalOf({ headers, authority: undefined });
    expect(error.code).to.equal('WS_ERR_ORIGIN_REFUSED');
    expect(error.message).to.include('the host of the request, none (Host)');
  });

  it('does not compare the origin of a request without credentials, also if it has no socket', () => {
    const headers = { origin: 'https://elsewhere.example' };
    for (const socket of [undefined, {}, { getPeerCertificate: () => null }, { getPeerCertificate: () => ({}) }])
      expect(negotiate(opening({ headers, ...(socket && { socket }) }), {}).version).to.equal('13');
  });

  it('refuses a function origins that returns anything else than a boolean, such as a promise', () => {
    const origins = (() => Promise.resolve(false)) as never;
    const error = refusalOf({ headers: { origin: 'https://evil.example' } }, { origins });
    expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', 500]);
    expect(error.message).to.include('option origins must be a function that returns true or false');
  });
});

describe('The opening request (RFC 6455 §4.2.1)', () => {
  let server: TestServer;
  let handled: number;

  before(async () => {
    server = await listen((_request, response) => {
      handled++;
      response.webSocket?.connect({ protocol: 'chat' }).resume();
    });
  });
  beforeEach(() => {
    handled = 0;
  });
  after(() => server[Symbol.asyncDispose]());

  it('is accepted with the hashed key of RFC 6455 §1.3, and no header of an ordinary response', async () => {
    using client = await RawClient.connect(server.port);
    client.write(openingRequest());
    const { statusCode, headers } = await client.head();
    expect(statusCode).to.equal(101);
    expect(headers.get('upgrade')).to.equal('websocket');
    expect(headers.get('connection')).to.equal('Upgrade');
    expect(headers.get('sec-websocket-accept')).to.equal('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect([...headers.keys()]).to.not.include.members(['content-length', 'transfer-encoding', 'date', 'keep-alive']);
    expect(handled).to.equal(1);
  });

  for (const version of ['13', '8', '7']) {
    it(`is accepted in version ${version}`, async () => {
      using client = await RawClient.connect(server.port);
      client.write(openingRequest({ version: `Sec-WebSocket-Version: ${version}` }));
      expect((await client.head()).statusCode).to.equal(101);
    });
  }

  const tolerated: Record<string, Record<string, string>> = {
    'upgrade among other protocols': { upgrade: 'Upgrade: h2c, WebSocket' },
    'a connection that is also kept alive': { connection: 'Connection: keep-alive, Upgrade' },
    'a connection told of in two lines': { connection: 'Connection: keep-alive\r\nConnection: Upgrade' },
    'an absolute target': { start: 'GET http://example.org/chat HTTP/1.1' },
    'extensions that nobody knows': { more: 'Sec-WebSocket-Extensions: x-new; level="9"; fast, y' },
    'a parameter named like a property of objects': { more: 'Sec-WebSocket-Extensions: constructor; __proto__=1' },
    'a body of length 0': { more: 'Content-Length: 0' },
  };
  for (const [what, changes] of Object.entries(tolerated)) {
    it(`is accepted with ${what}`, async () => {
      using client = await RawClient.connect(server.port);
      client.write(openingRequest(changes));
      expect((await client.head()).statusCode).to.equal(101);
    });
  }

  interface Refusal {
    readonly changes: Record<string, string | undefined>;
    readonly status: number;
    readonly headers?: Record<string, string>;
  }
  const versions = { 'sec-websocket-version': '13, 8, 7' };
  const upgradeRequired = { ...versions, upgrade: 'websocket', connection: 'Upgrade, close' };
  const refusals: Record<string, Refusal> = {
    'another method': { changes: { start: 'POST /chat HTTP/1.1' }, status: 405, headers: { allow: 'GET' } },
    'the HEAD method': { changes: { start: 'HEAD /chat HTTP/1.1' }, status: 405, headers: { allow: 'GET' } },
    'HTTP/1.0': { changes: { start: 'GET /chat HTTP/1.0' }, status: 400 },
    'HTTP/2.0 in words': { changes: { start: 'GET /chat HTTP/2.0' }, status: 400 },
    'no host': { changes: { host: undefined }, status: 400 },
    'two hosts': { changes: { host: 'Host: example.org\r\nHost: example.com' }, status: 400 },
    'a host with user information': { changes: { host: 'Host: a@evil' }, status: 400 },
    'a host with a fragment': { changes: { host: 'Host: evil/#a' }, status: 400 },
    'a host with a backslash': { changes: { host: 'Host: evil\\a' }, status: 400 },
    'a host with half an address': { changes: { host: 'Host: [::' }, status: 400 },
    'no key': { changes: { key: undefined }, status: 400 },
    'two keys': { changes: { more: 'Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==' }, status: 400 },
    'a key of 15 bytes': { changes: { key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j' }, status: 400 },
    'a key that is not base64': { changes: { key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==' }, status: 400 },
    'a key with bits that no 16 bytes give': {
      changes: { key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==' },
      status: 400,
    },
    'no version': { changes: { version: undefined }, status: 400, headers: versions },
    'a version that is no number': {
      changes: { version: 'Sec-WebSocket-Version: abc' },
      status: 400,
      headers: versions,
    },
    'a version with a leading zero': {
      changes: { version: 'Sec-WebSocket-Version: 013' },
      status: 400,
      headers: versions,
    },
    'a version above 255': { changes: { version: 'Sec-WebSocket-Version: 256' }, status: 400, headers: versions },
    'two versions': { changes: { more: 'Sec-WebSocket-Version: 8' }, status: 400, headers: versions },
    'version 6': { changes: { version: 'Sec-WebSocket-Version: 6' }, status: 426, headers: upgradeRequired },
    'version 14': { changes: { version: 'Sec-WebSocket-Version: 14' }, status: 426, headers: upgradeRequired },
    'an empty subprotocol': { changes: { more: 'Sec-WebSocket-Protocol: chat,,superchat' }, status: 400 },
    'a subprotocol twice': {
      changes: { more: 'Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat' },
      status: 400,
    },
    'a subprotocol that is no token': { changes: { more: 'Sec-WebSocket-Protocol: a b' }, status: 400 },
    'malformed extensions': { changes: { more: 'Sec-WebSocket-Extensions: ,' }, status: 400 },
    'an unclosed quoted string': { changes: { more: 'Sec-WebSocket-Extensions: a; b="\\c' }, status: 400 },
    'a body': { changes: { more: 'Content-Length: 3' }, status: 400 },
    'a chunked body': { changes: { more: 'Transfer-Encoding: chunked' }, status: 400 },
  };
  for (const [what, { changes, status, headers = {} }] of Object.entries(refusals)) {
    it(`is refused with ${status} for ${what}, and the handler is not called`, async () => {
      const answer = await ask(server.port, openingRequest(changes));
      expect(answer.statusCode).to.equal(status);
      for (const [name, value] of Object.entries(headers)) expect(answer.headers.get(name)).to.equal(value);
      // The answer says what is wrong; to a HEAD request it says so with its status alone.
      expect(answer.body.length > 0).to.equal(!changes['start']?.startsWith('HEAD'));
      expect(handled).to.equal(0);
      expect(server.handle.connections.size).to.equal(0);
    });
  }

  it('is parsed in linear time if a subprotocol list consists of spaces', async () => {
    const answer = await ask(server.port, openingRequest({ more: `Sec-WebSocket-Protocol: a${' '.repeat(14000)}b` }));
    expect(answer.statusCode).to.equal(400);
  });

  it('is answered with a subprotocol of the offer in its spelling', async () => {
    using client = await RawClient.connect(server.port);
    client.write(openingRequest({ more: 'Sec-WebSocket-Protocol: superchat, chat' }));
    expect((await client.head()).headers.get('sec-websocket-protocol')).to.equal('chat');
  });

  it('is answered without a subprotocol if the chosen one is not offered', async () => {
    using client = await RawClient.connect(server.port);
    client.write(openingRequest({ more: 'Sec-WebSocket-Protocol: Chat' }));
    const { statusCode, headers } = await client.head();
    expect(statusCode).to.equal(101);
    expect(headers.has('sec-websocket-protocol')).to.equal(false);
  });
});

describe('The origin of an opening request', () => {
  const home = 'Origin: https://example.org';
  const foreign = 'Origin: https://evil.example';
  const cookie = 'Cookie: session=1';

  async function status(origins: Parameters<typeof listen>[1], changes: Record<string, string>): Promise<number> {
    await using server = await listen((_request, response) => response.webSocket?.connect().resume(), origins);
    using client = await RawClient.connect(server.port);
    client.write(openingRequest(changes));
    return (await client.head()).statusCode;
  }

  const authorization = 'Authorization: Basic YTpi';

  it('is compared by default only if the request carries credentials that a browser adds by itself', async () => {
    expect(await status({}, { foreign })).to.equal(101);
    for (const credentials of [cookie, authorization]) {
      expect(await status({}, { credentials })).to.equal(101);
      expect(await status({}, { home, credentials })).to.equal(101);
      expect(await status({}, { foreign, credentials })).to.equal(403);
      expect(await status({}, { origin: 'Origin: null', credentials })).to.equal(403);
      expect(await status({}, { origin: 'Origin: https://example.org:8443', credentials })).to.equal(403);
      expect(await status({ origins: 'any' }, { foreign, credentials })).to.equal(101);
    }
  });

  describe('of a client with a TLS certificate', () => {
    const { key, cert } = createCertificate();
    for (const [what, certificate, expected] of [
      ['is refused if it is foreign', { key, cert }, 403],
      ['is accepted if no certificate was sent', {}, 101],
    ] as const) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        it(`${what} (${maxVersion})`, async () => {
          const http = createHttpsServer(
            { key, cert, requestCert: true, rejectUnauthorized: false },
            (_request, response) => response.webSocket?.connect().resume(),
          );
          await using server = await serve(http);
          const head = (origin: string) => requestHead(server.port, { ...certificate, ca: cert, maxVersion }, origin);
          expect(await head(foreign)).to.match(new RegExp(`^HTTP/1.1 ${expected} `));
          expect(await head(home)).to.match(/^HTTP\/1.1 101 /);
          expect(await head('X-Origin: none')).to.match(/^HTTP\/1.1 101 /);
        });
      }
    }

    async function requestHead(port: number, options: ConnectionOptions, origin: string): Promise<string> {
      const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ...options });
      socket.write(openingRequest({ origin }));
      let received = '';
      socket.on('data', (bytes) => {
        received += bytes;
      });
      while (!received.includes('\r\n\r\n')) await once(socket, 'data');
      socket.destroy();
      return received;
    }
  });

  it('is compared over HTTP/2 as over HTTP/1.1', async () => {
    const { key, cert } = createCertificate();
    const http2 = createHttp2Server({ key, cert, requestCert: true, rejectUnauthorized: false });
    http2.on('request', (_request, response) => response.webSocket?.connect().resume());
    configureServer(http2 as never);
    await once(http2.listen(0, '127.0.0.1'), 'listening');
    const url = `https://localhost:${(http2.address() as AddressInfo).port}`;
    const statuses = async (options: SecureClientSessionOptions, headers: OutgoingHttpHeaders) => {
      const session = connectHttp2(url, { ca: cert, family: 4, ...options } as SecureClientSessionOptions);
      await once(session, 'remoteSettings');
      const found: number[] = [];
      for (const origin of ['https://evil.example', url])
        found.push(await statusOf(session, extendedConnect('/', { origin, ...headers })));
      session.destroy();
      return found;
    };
    expect(await statuses({}, {})).to.deep.equal([200, 200]);
    expect(await statuses({}, { cookie: 'a=b' })).to.deep.equal([403, 200]);
    expect(await statuses({}, { authorization: 'Basic YTpi' })).to.deep.equal([403, 200]);
    expect(await statuses({ key, cert }, {})).to.deep.equal([403, 200]);
    http2.close();
  });

  it('is refused with both values compared, the credentials and the option in the message', async () => {
    await using server = await listen(() => {});
    const { body } = await ask(server.port, openingRequest({ foreign, cookie }));
    for (const part of ['https://evil.example (Origin)', 'example.org (Host)', 'cookies', 'option origins']) {
      expect(body.toString()).to.include(part);
    }
  });

  it('is refused with the list or the function of option origins in the message', async () => {
    const refusal = async (origins: ServerOptions['origins'] & {}, changes: Record<string, string>) => {
      await using server = await listen(() => {}, { origins });
      return (await ask(server.port, openingRequest(changes))).body.toString();
    };
    expect(await refusal(['https://a.example'], { foreign })).to.match(
      /https:\/\/evil.example .* list of the option origins/,
    );
    expect(await refusal(() => false, { foreign })).to.match(/function origins refuses .*https:\/\/evil.example/);
    expect(await refusal(() => false, {})).to.match(/function origins refuses a request without an origin/);
    expect(await refusal('same', { foreign })).to.match(
      /https:\/\/evil.example .*, example.org \(Host\)\. .*option origins/,
    );
  });

  it("may be any origin with origins: 'any'", async () => {
    expect(await status({ origins: 'any' }, { foreign, cookie })).to.equal(101);
  });

  it("must be the server's own host with origins: 'same', with cookies or without", async () => {
    expect(await status({ origins: 'same' }, { foreign })).to.equal(403);
    expect(await status({ origins: 'same' }, { home })).to.equal(101);
    expect(await status({ origins: 'same' }, { home: 'Origin: http://example.org:80' })).to.equal(101);
    expect(await status({ origins: 'same' }, {})).to.equal(101);
  });

  it('must be in the list of option origins', async () => {
    const origins = ['https://friend.example'];
    expect(await status({ origins }, { foreign, cookie })).to.equal(403);
    expect(await status({ origins }, { friend: 'Origin: https://friend.example', cookie })).to.equal(101);
  });

  it('is decided by the function of option origins', async () => {
    const origins = (origin: string | undefined) => origin === undefined;
    expect(await status({ origins }, { home })).to.equal(403);
    expect(await status({ origins }, {})).to.equal(101);
  });

  it('is refused if the function of option origins returns a promise', async () => {
    const origins = (async () => false) as never;
    expect(await status({ origins }, { home })).to.equal(500);
  });

  it('is in another header before version 13', async () => {
    const version = 'Sec-WebSocket-Version: 8';
    expect(await status({}, { version, old: 'Sec-WebSocket-Origin: https://evil.example', cookie })).to.equal(403);
    expect(await status({}, { version, foreign, cookie })).to.equal(101);
  });

  it('is refused if the Host header cannot be in a URL', async () => {
    expect(await status({}, { host: 'Host: example.org:99999', home, cookie })).to.equal(403);
  });
});

describe('The option versions', () => {
  it('accepts the listed versions and refuses others with the list', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect().resume(), {
      versions: ['13'],
    });
    const answer = await ask(server.port, openingRequest({ version: 'Sec-WebSocket-Version: 8' }));
    expect(answer.statusCode).to.equal(426);
    expect(answer.headers.get('sec-websocket-version')).to.equal('13');
  });
});
