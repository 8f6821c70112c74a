import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, createSecureServer, type ServerHttp2Session } from 'node:http2';
import { Agent, createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect as connectSocket, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type ClientOptions,
  configureServer,
  connect,
  type HttpServer,
  type WebSocket,
} from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { failureOf } from '../support/failure';
import { listen } from '../support/http';
import { type Http2Handler, listenHttp2, openSession } from '../support/http2';
import { thrownBy } from '../support/thrown';

const echo: Http2Handler = (_request, response) => void response.webSocket?.pipe(response.webSocket.connect());

/** Says something, and returns what comes back. */
async function echoed(ws: WebSocket): Promise<unknown> {
  ws.end('hello');
  const [message] = await once(ws, 'data');
  await ws.whenClosed();
  return message;
}

describe('connect() with http2: true', () => {
  it('shares one session among all WebSockets to an origin and closes it after the last one', async () => {
    await using server = await listenHttp2(echo);
    const first = connect(server.webSocketUrl, { http2: true, family: 4 });
    await once(first, 'open');
    const others = Array.from({ length: 9 }, (_, index) =>
      connect(`${server.webSocketUrl}/${index}`, { http2: true, family: 4 }),
    );
    await Promise.all(others.map(echoed));
    expect(server.sessions).to.have.lengthOf(1);
    const [session] = server.sessions as [ServerHttp2Session];
    expect(session.closed).to.equal(false);
    const closed = once(session, 'close');
    expect(await echoed(first)).to.equal('hello');
    await closed;
  });

  it('shares a session among WebSockets with equal connection options and different credentials', async () => {
    await using server = await listenHttp2(echo);
    const all = ['one:a', 'two:b'].flatMap((credentials) => {
      const url = server.webSocketUrl.replace('//', `//${credentials}@`);
      return [
        connect(url, { http2: true, family: 4, ca: [Buffer.from('authority')], minVersion: 'TLSv1.3' }),
        connect(url, {
          http2: true,
          minVersion: 'TLSv1.3',
          localAddress: undefined,
          family: 4,
          ca: [Buffer.from('authority')],
        } as ClientOptions),
      ];
    });
    await Promise.all(all.map(echoed));
    expect(server.sessions).to.have.lengthOf(1);
  });

  it('opens another session for WebSockets with other connection options', async () => {
    await using server = await listenHttp2(echo);
    const options: ClientOptions[] = [
      { family: 4 },
      { family: 4, localAddress: '127.0.0.1' },
      { family: 4, lookup: (_name, _options, done) => done(null, '127.0.0.1', 4) },
      { createConnection: () => connectSocket((server.server.address() as AddressInfo).port, '127.0.0.1') },
      // With TLS, these are the identity of the program, and whom it trusts.
      { family: 4, pskCallback: () => null },
      { family: 4, session: Buffer.of(1) },
      { family: 4, allowPartialTrustChain: true } as ClientOptions,
      { family: 4, minDHSize: 2048 },
      { family: 4, key: [{ pem: 'one' }] },
      { family: 4, key: [{ pem: 'other' }] },
    ];
    const all = options.map((each) => connect(server.webSocketUrl, { http2: true, ...each }));
    await Promise.all(all.map((ws) => once(ws, 'open')));
    expect(server.sessions).to.have.lengthOf(options.length);
    await Promise.all(all.map(echoed));
  });

  it('uses the connection that createConnection calls back with, connected already or not', async () => {
    await using server = await listenHttp2(echo);
    const { port } = server.server.address() as AddressInfo;
    type Create = NonNullable<ClientOptions['createConnection']>;
    type Made = (error: Error | null, socket: Socket) => void;
    const ways: Create[] = [
      (_options, made) => void setImmediate(() => (made as Made)(null, connectSocket(port, '127.0.0.1'))),
      (_options, made) => {
        const socket = connectSocket(port, '127.0.0.1', () => (made as Made)(null, socket));
        return undefined;
      },
      (_options, made) => {
        const socket = connectSocket(port, '127.0.0.1');
        (made as Made)(null, socket);
        return socket;
      },
    ];
    for (const createConnection of ways) {
      // Without the program's connection nobody would find the server.
      const ws = connect('ws://nowhere.invalid/', { http2: true, createConnection });
      expect(await echoed(ws)).to.equal('hello');
      expect(ws.transport).to.equal('http2');
    }
    expect(server.sessions).to.have.lengthOf(3);
  });

  it('fails with the error that createConnection calls back with', async () => {
    const cause = new Error('the proxy is closed');
    for (const later of [setImmediate, (fail: () => void) => fail()]) {
      const createConnection: ClientOptions['createConnection'] = (_options, made) =>
        void later(() => (made as (error: Error) => void)(cause));
      const error = await failureOf(connect('ws://nowhere.invalid/', { http2: true, createConnection }));
      expect([error.code, error.cause]).to.deep.equal(['WS_ERR_CONNECTION_FAILED', cause]);
    }
  });

  it('destroys a connection that createConnection calls back with after the WebSocket was destroyed', async () => {
    await using server = await listenHttp2(echo);
    const { port } = server.server.address() as AddressInfo;
    let called: ((made: (error: null, socket: Socket) => void) => void) | undefined;
    const asked = new Promise<(error: null, socket: Socket) => void>((resolve) => {
      called = resolve;
    });
    const createConnection: ClientOptions['createConnection'] = (_options, made) => void called?.(made as never);
    connect('ws://nowhere.invalid/', { http2: true, createConnection }).destroy();
    const socket = connectSocket(port, '127.0.0.1');
    (await asked)(null, socket);
    await once(socket, 'close');
  });

  it('opens another session when a session has as many streams as the server allows', async () => {
    await using server = await listenHttp2(echo, {}, { settings: { maxConcurrentStreams: 4 } });
    const all = Array.from({ length: 10 }, () => connect(server.webSocketUrl, { http2: true, family: 4 }));
    await Promise.all(all.map((ws) => once(ws, 'open')));
    expect(server.sessions).to.have.lengthOf(3);
    await Promise.all(all.map(echoed));
  });

  it('sends the path, credentials, headers and origin of the URL and the options', async () => {
    let seen = {};
    await using server = await listenHttp2(
      (request, response) => {
        const { ':authority': authority, ':path': path, authorization, origin, 'x-mine': mine } = request.headers;
        seen = { authority, path, authorization, origin, mine };
        response.webSocket?.connect().end();
      },
      { origins: 'any' },
    );
    const url = server.webSocketUrl.replace('//', '//me:secret@');
    const headers = { 'X-Mine': 'yes', Host: 'virtual.example' };
    const ws = connect(`${url}/a?b#c`, { http2: true, family: 4, headers, origin: 'https://page.example' });
    ws.resume();
    await ws.whenClosed();
    expect(seen).to.deep.equal({
      authority: 'virtual.example',
      path: '/a?b',
      authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
      origin: 'https://page.example',
      mine: 'yes',
    });
  });

  it('sends all values of a header', async () => {
    let seen: unknown;
    await using server = await listenHttp2((request, response) => {
      seen = request.headers['x-list'];
      response.webSocket?.connect().end();
    });
    const ws = connect(server.webSocketUrl, { http2: true, family: 4, headers: { 'X-List': ['a', 'b'] } });
    await ws.resume().whenClosed();
    expect(seen).to.equal('a, b');
  });

  it('fails with a header that HTTP/2 does not have', async () => {
    await using server = await listenHttp2(echo);
    const ws = connect(server.webSocketUrl, { http2: true, family: 4, headers: { 'Keep-Alive': 'timeout=5' } });
    const error = await failureOf(ws);
    expect(error.code).to.equal('WS_ERR_CONNECTION_FAILED');
    expect(error.cause).to.have.property('code', 'ERR_HTTP2_INVALID_CONNECTION_HEADERS');
  });

  it('has a status without a usual text in its error', async () => {
    await using server = await listenHttp2((_request, response) => void response.writeHead(499).end('not now'));
    const error = await failureOf(connect(server.webSocketUrl, { http2: true, family: 4 }));
    expect([error.code, error.statusCode, String(error.body)]).to.deep.equal([
      'WS_ERR_HANDSHAKE_REFUSED',
      499,
      'not now',
    ]);
  });

  it('asks createConnection for port 80 or 443 if the URL has none', async () => {
    for (const [url, expected] of [
      ['ws://nowhere.invalid/', 80],
      ['wss://nowhere.invalid/', 443],
    ] as const) {
      for (const http2 of [false, true]) {
        let port: unknown;
        const createConnection: ClientOptions['createConnection'] = (options, made) => {
          port = options.port;
          (made as (error: Error) => void)(new Error('only the port is of interest'));
          return undefined;
        };
        await failureOf(connect(url, { http2, createConnection }));
        expect(Number(port)).to.equal(expected);
      }
    }
  });

  it('sends nothing for a WebSocket that is destroyed at once, with a new session and with a shared one', async () => {
    let requests = 0;
    await using server = await listenHttp2((request, response) => {
      requests++;
      echo(request, response);
    });
    const options = { http2: true, family: 4 } as const;
    const { port } = server.server.address() as AddressInfo;
    const connected = connectSocket(port, '127.0.0.1');
    await once(connected, 'connect');
    const alone = connect(server.webSocketUrl, { http2: true, createConnection: () => connected }).destroy();
    await Promise.all([alone.whenClosed(), once(connected, 'close')]);
    const first = connect(server.webSocketUrl, options);
    await once(first, 'open');
    await connect(server.webSocketUrl, options).destroy().whenClosed();
    expect(await echoed(first)).to.equal('hello');
    expect(requests).to.equal(1);
  });

  it('connects to a Unix domain socket', async () => {
    const server = createHttp2Server(echo as never);
    configureServer(server);
    const path = join(tmpdir(), `http2-${process.pid}.sock`);
    server.listen(path);
    await once(server, 'listening');
    const ws = connect(`ws+unix:${path}:/chat`, { http2: true });
    expect([await echoed(ws), ws.transport]).to.deep.equal(['hello', 'http2']);
    server.close();
    await once(server, 'close');
  });

  it('follows a redirect to another server over HTTP/2', async () => {
    await using target = await listenHttp2(echo);
    await using first = await listenHttp2((_request, response) => {
      response.writeHead(307, { location: `${target.webSocketUrl}/there` }).end();
    });
    const ws = connect(first.webSocketUrl, { http2: true, family: 4, followRedirects: true });
    expect([await echoed(ws), ws.transport]).to.deep.equal(['hello', 'http2']);
    expect(target.sessions).to.have.lengthOf(1);
  });

  describe('where there is no WebSocket over HTTP/2', () => {
    const certificate = createCertificate();

    async function fallsBack(server: HttpServer & Server, scheme: string): Promise<number> {
      configureServer(server);
      const sockets = new Set<Socket>();
      server.on('connection', (socket) => sockets.add(socket));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `${scheme}://localhost:${(server.address() as AddressInfo).port}`;
      const ws = connect(url, { http2: true, family: 4, ca: certificate.cert });
      expect([await echoed(ws), ws.transport]).to.deep.equal(['hello', 'http1']);
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      return sockets.size;
    }

    it('uses HTTP/1.1 on the same connection if the server has chosen HTTP/1.1', async () => {
      expect(await fallsBack(createHttpsServer(certificate, echo as never), 'wss')).to.equal(1);
    });

    it('closes that connection if Node refuses an option for HTTP/1.1', async () => {
      const server = createHttpsServer(certificate, echo as never).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const connection = once(server, 'connection');
      const url = `wss://localhost:${(server.address() as AddressInfo).port}`;
      const ws = connect(url, { http2: true, family: 4, ca: certificate.cert, auth: 5 as never });
      const error = await failureOf(ws);
      expect(error.code).to.equal('WS_ERR_CONNECTION_FAILED');
      expect(error.cause).to.have.property('code', 'ERR_INVALID_ARG_TYPE');
      const [socket] = (await connection) as [Socket];
      if (!socket.closed) await once(socket, 'close');
      await once(server.close(), 'close');
    });

    it('uses HTTP/1.1 without TLS if the server does not speak HTTP/2', async () => {
      expect(await fallsBack(createHttpServer(echo as never), 'ws')).to.equal(2);
    });

    it('uses HTTP/1.1 if the server does not take extended CONNECTs', async () => {
      const server = createSecureServer({ ...certificate, allowHTTP1: true }, echo as never);
      // As if we had not asked for it.
      Object.defineProperty(server, 'updateSettings', { value: () => {} });
      expect(await fallsBack(server, 'wss')).to.equal(2);
    });
  });
});

describe('connect() with an HTTP/2 session of the program', () => {
  it('uses the session before and after its settings were received and leaves it open', async () => {
    await using server = await listenHttp2(echo);
    await using session = await openSession(server.url);
    const fresh = (await import('node:http2')).connect(server.url, { family: 4 } as object);
    expect(await echoed(connect(server.webSocketUrl, { http2: fresh }))).to.equal('hello');
    const all = Array.from({ length: 20 }, () => connect(server.webSocketUrl, { http2: session }));
    expect(new Set(await Promise.all(all.map(echoed)))).to.deep.equal(new Set(['hello']));
    expect([fresh.closed, session.closed]).to.deep.equal([false, false]);
    expect(server.sessions).to.have.lengthOf(2);
    const closed = once(fresh, 'close');
    fresh.close();
    await closed;
  });

  it('uses HTTP/1.1 if the server of the session does not take extended CONNECTs', async () => {
    await using server = await listen(
      ({ httpVersion }, response) => void response.webSocket?.connect().end(httpVersion),
    );
    const ordinary = createHttp2Server().listen(0, '127.0.0.1');
    await once(ordinary, 'listening');
    {
      await using session = await openSession(`http://localhost:${(ordinary.address() as AddressInfo).port}`);
      const ws = connect(`ws://localhost:${server.port}`, { http2: session, family: 4 });
      expect(await ws.toArray()).to.deep.equal(['1.1']);
      expect([ws.transport, session.closed]).to.deep.equal(['http1', false]);
    }
    const closed = once(ordinary, 'close');
    ordinary.close();
    await closed;
  });

  it('fails if the session is closed', async () => {
    await using server = await listenHttp2(echo);
    const session = await openSession(server.url);
    await session[Symbol.asyncDispose]();
    const ws = connect(server.webSocketUrl, { http2: session });
    const [error] = await once(ws, 'error');
    expect([error.code, error.message]).to.deep.equal([
      'WS_ERR_CONNECTION_FAILED',
      'The server cannot be reached: the session is closed',
    ]);
  });
});

describe('The option http2', () => {
  for (const [what, options, complaint] of [
    [
      'something else',
      { http2: 'yes' },
      /option http2 must be a boolean or a session of http2\.connect\(\), not 'yes'/,
    ],
    ['an agent beside it', { http2: true, agent: new Agent() }, /options http2 and agent exclude each other/],
    ['only versions without it', { http2: true, version: 'draft76' }, /option http2 needs version 13, not draft76/],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const error = thrownBy(() => connect('ws://localhost', options as ClientOptions)) as Error & { code: string };
      expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(error.message).to.match(complaint);
    });
  }
});
