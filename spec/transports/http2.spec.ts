import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import Router from 'router';
import { configureServer, connect, type HttpRequest, isWebSocketRequest } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { ask, extendedConnect, listenHttp2, openSession, statusOf } from '../support/http2';

describe('A request for a WebSocket over HTTP/2', () => {
  it("has the method GET for routers and keeps ':method' in its headers", async () => {
    const router = Router();
    router.get('/rooms/:name', (request, response) => {
      const { method, headers, params } = request;
      response.webSocket?.connect().end(`${method} ${headers[':method']} ${params['name']}`);
    });
    await using server = await listenHttp2((request, response) =>
      router(request as unknown as IncomingMessage, response as unknown as ServerResponse, () =>
        response.writeHead(404).end(),
      ),
    );
    const ws = connect(`${server.webSocketUrl}/rooms/blue`, { http2: true, family: 4 });
    expect((await once(ws, 'data'))[0]).to.equal('GET CONNECT blue');
    await ws.whenClosed();
  });

  it('is accepted through writeHead() with a 200 that has every header set so far', async () => {
    const statuses: number[] = [];
    await using server = await listenHttp2((_request, response) => {
      const writeHead = response.writeHead.bind(response) as (...parameters: unknown[]) => typeof response;
      response.writeHead = ((...parameters: unknown[]) => {
        statuses.push(parameters[0] as number);
        response.setHeader('X-Hook', 'seen');
        return writeHead(...parameters);
      }) as typeof response.writeHead;
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.setHeader('Content-Length', '5');
      response.webSocket?.connect({ protocol: 'chat', headers: { 'X-Mine': 'yes' } }).resume();
    });
    await using session = await openSession(server.url);
    const stream = session.request(extendedConnect('/', { 'sec-websocket-protocol': 'chat, other' }));
    const [headers] = (await once(stream, 'response')) as [OutgoingHttpHeaders];
    expect(headers).to.include({ ':status': 200, 'x-hook': 'seen', 'x-mine': 'yes', 'sec-websocket-protocol': 'chat' });
    expect(headers['set-cookie']).to.deep.equal(['a=1', 'b=2']);
    expect(headers).to.not.have.any.keys('content-length', 'sec-websocket-accept', 'upgrade', 'connection');
    expect(statuses).to.deep.equal([200]);
  });

  it('is refused by any ordinary response', async () => {
    await using server = await listenHttp2((_request, response) => {
      response.setHeader('X-Why', 'because');
      response.statusCode = 402;
      response.end('pay');
    });
    await using session = await openSession(server.url);
    const { status, headers, body } = await ask(session, extendedConnect('/'));
    expect([status, headers['x-why'], body]).to.deep.equal([402, 'because', 'pay']);
  });

  it('is recognised by isWebSocketRequest(), and other requests are not', async () => {
    const seen: boolean[] = [];
    await using server = await listenHttp2((request: HttpRequest, response) => {
      seen.push(isWebSocketRequest(request));
      response.writeHead(200).end();
    });
    await using session = await openSession(server.url);
    await ask(session, extendedConnect('/'));
    await ask(session, { ':path': '/' });
    expect(seen).to.deep.equal([true, false]);
  });

  it('is answered with the supported versions if its version is not among them', async () => {
    await using server = await listenHttp2(() => expect.fail('not for the application'));
    await using session = await openSession(server.url);
    // HTTP/2 knows no upgrade, and so no 426.
    const { status, headers } = await ask(session, extendedConnect('/', { 'sec-websocket-version': '8' }));
    expect([status, headers['sec-websocket-version']]).to.deep.equal([400, '13']);
  });

  it('is accepted with cookies only from the origin of its own host', async () => {
    await using server = await listenHttp2((_request, response) => response.webSocket?.connect().end());
    await using session = await openSession(server.url);
    expect(await statusOf(session, extendedConnect('/', { cookie: 'a=1', origin: server.url }))).to.equal(200);
    const foreign = await ask(session, extendedConnect('/', { cookie: 'a=1', origin: 'https://evil.example' }));
    expect(foreign.status).to.equal(403);
    const authority = new URL(server.url).host;
    for (const part of ['https://evil.example (Origin)', `${authority} (Host)`, 'cookies', 'option origins'])
      expect(foreign.body).to.include(part);
  });

  it('is answered with 404 on a server without an application', async () => {
    await using server = await listenHttp2(undefined);
    await using session = await openSession(server.url);
    expect((await ask(session, extendedConnect('/'))).status).to.equal(404);
  });

  it("is not answered again if a 'stream' listener has answered it", async () => {
    const server = createServer();
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 403 });
      stream.end('mine');
    });
    server.on('request', (_request, response) => response.headersSent || response.end('second'));
    configureServer(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = await openSession(`http://localhost:${(server.address() as AddressInfo).port}`);
    const { status, body } = await ask(session, extendedConnect('/'));
    expect([status, body]).to.deep.equal([403, 'mine']);
    await session[Symbol.asyncDispose]();
    server.close();
    await once(server, 'close');
  });
});

describe('A CONNECT that is not for a WebSocket', () => {
  const plain = { ':method': 'CONNECT', ':authority': 'example.org:443', ':scheme': undefined, ':path': undefined };

  it('is answered with 405, as without the library', async () => {
    await using server = await listenHttp2(() => expect.fail('not for the application'));
    await using session = await openSession(server.url);
    const stream = session.request(plain as OutgoingHttpHeaders);
    const [headers] = (await once(stream, 'response')) as [OutgoingHttpHeaders];
    expect(headers[':status']).to.equal(405);
    stream.close();
    await once(stream, 'close');
    expect((await ask(session, extendedConnect('/', { ':protocol': 'connect-udp' }))).status).to.equal(405);
  });

  it("is left to other 'connect' listeners", async () => {
    await using server = await listenHttp2(() => expect.fail('not for the application'));
    server.server.on('connect', (request, response) => {
      if (!isWebSocketRequest(request)) response.writeHead(202).end(request.headers[':protocol'] as string);
    });
    await using session = await openSession(server.url);
    const { status, body } = await ask(session, extendedConnect('/', { ':protocol': 'connect-udp' }));
    expect([status, body]).to.deep.equal([202, 'connect-udp']);
  });

  it('closes the connection over HTTP/1.1, as without the library', async () => {
    const { createSecureServer } = await import('node:http2');
    const certificate = createCertificate();
    const { connect: connectTls } = await import('node:tls');
    const server = createSecureServer({ ...certificate, allowHTTP1: true }, () =>
      expect.fail('not for the application'),
    );
    configureServer(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connectTls({ port, ca: certificate.cert, servername: 'localhost', ALPNProtocols: ['http/1.1'] });
    socket.on('error', () => {});
    socket.write('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n');
    await once(socket, 'close');
    server.close();
    await once(server, 'close');
  });
});

describe('A server for HTTP/2', () => {
  it('keeps its own HTTP/2 settings', async () => {
    await using server = await listenHttp2(undefined, {}, { settings: { maxConcurrentStreams: 7 } });
    await using session = await openSession(server.url);
    expect(session.remoteSettings).to.include({ maxConcurrentStreams: 7, enableConnectProtocol: true });
  });

  it('can be configured several times with filters', async () => {
    await using server = await listenHttp2((_request, response) => response.webSocket?.connect().end(), {
      filter: ({ url }) => url === '/one',
    });
    const second = configureServer(server.server, { filter: ({ url }) => url === '/two', origins: 'same' });
    await using session = await openSession(server.url);
    const origin = 'http://other.example';
    expect(await statusOf(session, extendedConnect('/one', { origin }))).to.equal(200);
    expect(await statusOf(session, extendedConnect('/two', { origin }))).to.equal(403);
    expect(await statusOf(session, extendedConnect('/three'))).to.equal(405);
    expect(second.counters.refused).to.equal(1);
  });

  it('serves WebSockets and requests on one session at the same time', async () => {
    const large = randomBytes(16 * 1024 * 1024);
    await using server = await listenHttp2((request, response) => {
      if (response.webSocket === undefined) response.end('served');
      else if (request.url === '/large') response.webSocket.connect().write(large);
      else response.webSocket.pipe(response.webSocket.connect());
    });
    await using session = await openSession(server.url);
    // Two that take nothing, and one that takes as fast as it can.
    for (let i = 0; i < 2; i++) {
      const idle = connect(`${server.webSocketUrl}/large`, { http2: session, maxMessageSize: large.length });
      // It is cut off when all is over.
      idle.on('error', () => {});
      await once(idle, 'open');
      idle.pause();
    }
    const busy = connect(`${server.webSocketUrl}/large`, { http2: session, maxMessageSize: large.length });
    const arrived = once(busy, 'data');
    busy.on('error', () => {});
    for (let i = 0; i < 20; i++) {
      const echo = connect(server.webSocketUrl, { http2: session });
      echo.end('small');
      expect((await once(echo, 'data'))[0]).to.equal('small');
      expect((await ask(session, { ':path': '/' })).body).to.equal('served');
    }
    expect(large.equals((await arrived)[0])).to.equal(true);
    expect(server.sessions).to.have.lengthOf(1);
    expect(server.handle.connections.size).to.equal(3);
  });

  it('opens and echoes on 1,000 WebSockets of one session', async () => {
    await using server = await listenHttp2((_request, response) => {
      response.webSocket?.pipe(response.webSocket.connect());
    });
    const echoes = Array.from({ length: 1000 }, async (_, index) => {
      const ws = connect(server.webSocketUrl, { http2: true, family: 4 });
      ws.write(`this is ${index}`);
      expect((await once(ws, 'data'))[0]).to.equal(`this is ${index}`);
      return ws;
    });
    const all = await Promise.all(echoes);
    expect(server.handle.connections.size).to.equal(1000);
    expect(server.sessions).to.have.lengthOf(1);
    for (const ws of all) ws.end();
    for (const ws of all) expect((await ws.whenClosed()).wasClean).to.equal(true);
  });

  it('closes a session after handle.close(), and the client connects on another session', async () => {
    await using server = await listenHttp2((_request, response) => {
      if (response.webSocket === undefined) response.end('still there');
      else response.webSocket.connect().resume();
    });
    await using session = await openSession(server.url);
    const goaway = once(session, 'goaway');
    const ws = connect(server.webSocketUrl, { http2: session });
    ws.resume();
    await once(ws, 'open');
    await server.handle.close();
    expect((await goaway)[0]).to.equal(0);
    await using second = await openSession(server.url);
    expect((await ask(second, { ':path': '/' })).body).to.equal('still there');
  });

  it('serves clients of HTTP/1.1 as well with allowHTTP1', async () => {
    const { createSecureServer } = await import('node:http2');
    const certificate = createCertificate();
    const server = createSecureServer({ ...certificate, allowHTTP1: true }, (_request, response) => {
      response.webSocket?.pipe(response.webSocket.connect());
    });
    const handle = configureServer(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `wss://localhost:${(server.address() as AddressInfo).port}`;
    for (const http2 of [true, false]) {
      const ws = connect(url, { http2, ca: certificate.cert, family: 4 });
      ws.end('either way');
      expect((await once(ws, 'data'))[0]).to.equal('either way');
      expect(ws.transport).to.equal(http2 ? 'http2' : 'http1');
      await ws.whenClosed();
    }
    const closed = once(server, 'close');
    server.close();
    await handle.close();
    await closed;
  });
});
