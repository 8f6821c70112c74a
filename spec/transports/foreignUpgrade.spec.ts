import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { returnToHttp } from '../../lib/transports/foreignUpgrade';
import { createCertificate } from '../support/certificate';
import { listen, openingRequest, RawClient, serve, type TestServer } from '../support/http';

const foreign = { upgrade: 'Upgrade: h2c', key: undefined, version: undefined };

interface Served {
  readonly url: string | undefined;
  readonly body: string;
}

/** A server that keeps what it was asked, and answers with the URL. */
async function recording(options: { maxHeadersCount?: number; insecureHTTPParser?: boolean } = {}) {
  const { maxHeadersCount, ...rest } = options;
  const served: Served[] = [];
  const http = createServer(rest, async (request, response) => {
    served.push({ url: request.url, body: (await buffer(request)).toString() });
    response.end(`<${request.url}>`);
  });
  if (maxHeadersCount !== undefined) http.maxHeadersCount = maxHeadersCount;
  const server = await serve(http);
  return { server, served };
}

/** Sends these bytes, ends the client's side, and returns all that came back. */
async function exchange({ port }: TestServer, bytes: string): Promise<string> {
  using client = await RawClient.connect(port);
  client.socket.end(bytes);
  await new Promise((resolve) => client.socket.once('close', resolve));
  return client.received.toString();
}

describe('An upgrade request to another protocol that is given back to the HTTP server', () => {
  const inner = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const framings = {
    'Content-Length': { field: `Content-Length: ${inner.length}`, body: inner },
    'Transfer-Encoding': {
      field: 'Transfer-Encoding: chunked',
      body: `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
    },
  };
  const limits: readonly [limit: number | undefined, headers: number][] = [
    [undefined, 1100],
    [10, 27],
    [10, 40],
    [10, 1100],
    [31, 31],
    [32, 60],
    [1.5, 40],
  ];
  for (const [name, { field, body }] of Object.entries(framings)) {
    for (const [maxHeadersCount, count] of limits) {
      it(`does not parse its body as a request when ${count} headers before ${name} exceed maxHeadersCount ${maxHeadersCount}`, async () => {
        const { server, served } = await recording(maxHeadersCount === undefined ? {} : { maxHeadersCount });
        await using _server = server;
        const head = openingRequest({
          ...foreign,
          start: 'POST /form HTTP/1.1',
          tiny: `${'a:\r\n'.repeat(count)}${field}`,
        });
        await exchange(server, head + body);
        expect(served.map(({ url }) => url)).to.not.include('/smuggled');
      });
    }

    it(`does not parse its body as a request when maxHeadersCount was raised on an open connection (${name})`, async () => {
      const { server, served } = await recording({ maxHeadersCount: 10 });
      await using _server = server;
      using client = await RawClient.connect(server.port);
      client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.until(() => client.received.includes('</first>'));
      server.server.maxHeadersCount = 5000;
      const tiny = `${'a:\r\n'.repeat(40)}${field}`;
      client.socket.end(openingRequest({ ...foreign, start: 'POST /form HTTP/1.1', tiny }) + body);
      await new Promise((resolve) => client.socket.once('close', resolve));
      expect(served.map(({ url }) => url)).to.not.include('/smuggled');
    });

    it(`keeps its body when maxHeadersCount is 0 and Node keeps all headers (${name})`, async () => {
      const { server, served } = await recording({ maxHeadersCount: 0 });
      await using _server = server;
      const tiny = `${'a:\r\n'.repeat(1100)}${field}`;
      await exchange(server, openingRequest({ ...foreign, start: 'POST /form HTTP/1.1', tiny }) + body);
      expect(served).to.deep.equal([{ url: '/form', body: inner }]);
    });
  }

  it('does not turn a folded header line of a lenient parser into a header', async () => {
    const { server, served } = await recording({ insecureHTTPParser: true });
    await using _server = server;
    const folded = `X-Folded: a\r\n\tContent-Length: ${inner.length}`;
    await exchange(server, openingRequest({ ...foreign, start: 'GET /page HTTP/1.1', folded }) + inner);
    expect(served[0]).to.deep.equal({ url: '/page', body: '' });
  });

  it('is followed by the requests that came with it', async () => {
    const http = createServer((request, response) => response.end(`<${request.url}>`));
    // Newer versions of Node do not let it come to that where nobody else listens.
    await using server = await serve(http, { filter: () => false });
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, rest: Buffer) => {
      returnToHttp(http, { request, socket, head: rest });
    });
    const head = openingRequest({ ...foreign, start: 'GET /a HTTP/1.1' });
    const answers = await exchange(server, `${head}GET /b HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answers).to.match(/<\/a>.*<\/b>/s);
  });

  it('is answered over TLS', async () => {
    const certificate = createCertificate();
    await using server = await serve(
      createSecureServer(certificate, (request, response) => response.end(`<${request.url}>`)) as unknown as Server,
    );
    const socket = connect({ port: server.port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' });
    socket.end(openingRequest({ ...foreign, start: 'GET /page HTTP/1.1' }));
    expect(await text(socket)).to.match(/^HTTP\/1.1 200 OK\r\n.*<\/page>/s);
  });

  it('is given back at most twice on one connection: 50 upgrades do not repeat the connection event', async () => {
    let connections = 0;
    const sockets = new Set<Socket>();
    await using server = await listen((request, response) => response.end(`<${request.url}>`));
    server.server.on('connection', (socket: Socket) => {
      connections++;
      sockets.add(socket);
    });
    using client = await RawClient.connect(server.port);
    let answered = 0;
    for (let i = 0; i < 50 && !client.ended; i++) {
      client.write(openingRequest({ ...foreign, start: `GET /${i} HTTP/1.1` }));
      await client.until(() => client.received.includes(`</${i}>`));
      if (client.received.includes(`</${i}>`)) answered++;
    }
    // The first is the connection's own.
    expect(connections).to.be.at.most(3);
    expect(sockets.size).to.equal(1);
    expect(answered).to.be.at.least(2);
    for (const socket of sockets) {
      for (const event of socket.eventNames()) expect(socket.listenerCount(event), String(event)).to.be.below(4);
    }
  });

  it('is answered with its body the second time too', async () => {
    const { server, served } = await recording();
    await using _server = server;
    using client = await RawClient.connect(server.port);
    for (const path of ['/1', '/2']) {
      client.write(
        `${openingRequest({ ...foreign, start: `POST ${path} HTTP/1.1`, length: 'Content-Length: 5' })}hello`,
      );
      await client.until(() => client.received.includes(`<${path}>`));
    }
    expect(served).to.deep.equal([
      { url: '/1', body: 'hello' },
      { url: '/2', body: 'hello' },
    ]);
  });

  it('can be followed by a WebSocket on its connection', async () => {
    await using server = await listen((request, response) => {
      if (response.webSocket) response.webSocket.connect().resume();
      else response.end(`<${request.url}>`);
    });
    using client = await RawClient.connect(server.port);
    client.write(openingRequest({ ...foreign, start: 'GET /page HTTP/1.1' }));
    await client.until(() => client.received.includes('</page>'));
    client.write(openingRequest());
    await client.until(() => client.received.includes('101 Switching Protocols'));
    expect(client.ended).to.equal(false);
  });

  it('does not end the process when the client resets the connection during a refusal', async () => {
    const { server } = await recording({ maxHeadersCount: 10 });
    await using _server = server;
    const connected = once(server.server, 'connection');
    const client = await RawClient.connect(server.port);
    const [socket] = (await connected) as [Socket];
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const bytes = openingRequest({ ...foreign, tiny: `${'a:\r\n'.repeat(40)}b:` });
    client.socket.write(bytes, () => client.socket.resetAndDestroy());
    await closed;
  });
});
