import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect as openSocket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { createWebSocketStream, type ServerOptions, WebSocket, WebSocketServer } from '../../../lib/adapters/ws';
import { connect, createPair, WebSocketError } from '../../../lib/webSocketHandler';
import { listen, RawClient } from '../../support/http';

/** The first argument of the next event. */
const next = <T>(emitter: NodeJS.EventEmitter, event: string): Promise<T> =>
  new Promise((resolve) => emitter.once(event, (first: T) => resolve(first)));

/** Runs with a server, and closes it. */
async function serving(
  options: ServerOptions,
  use: (wss: WebSocketServer, port: number) => Promise<void>,
): Promise<void> {
  const wss = new WebSocketServer({ port: 0, host: 'localhost', ...options });
  await once(wss, 'listening');
  try {
    await use(wss, (wss.address() as AddressInfo).port);
  } finally {
    for (const client of wss.clients ?? []) client.terminate();
    await new Promise<void>((resolve) => wss.close(() => resolve()));
  }
}

/** The status of the answer to an upgrade request. */
async function statusOf(port: number, headers: string): Promise<number> {
  const client = await RawClient.connect(port);
  client.write(
    `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`,
  );
  const { statusCode } = await client.head();
  client.socket.destroy();
  return statusCode;
}

describe('node-websocket-handler/ws, where it differs from ws', () => {
  it('new WebSocket(stream): gives a route of this library the face of ws', async () => {
    await using server = await listen((request, response) => {
      if (request.headers.authorization !== 'yes') return void response.writeHead(401).end();
      const socket = new WebSocket(response.webSocket?.connect() as never);
      expect([socket.readyState, socket.url]).to.deep.equal([WebSocket.OPEN, '']);
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const url = `ws://localhost:${server.port}/`;
    const refused = new WebSocket(url);
    expect(await next<WebSocketError>(refused, 'error')).to.include({
      code: 'WS_ERR_HANDSHAKE_REFUSED',
      statusCode: 401,
    });
    const client = new WebSocket(url, { headers: { authorization: 'yes' } });
    await next(client, 'open');
    client.send('hello');
    expect(String(await next(client, 'message'))).to.equal('hello');
    client.close();
    await next(client, 'close');
  });

  it('new WebSocket(stream): a client of connect() opens as one of its own does', async () => {
    await serving({}, async (_wss, port) => {
      const socket = new WebSocket(connect(`ws://localhost:${port}`));
      expect(socket.readyState).to.equal(WebSocket.CONNECTING);
      await next(socket, 'open');
      expect(socket.readyState).to.equal(WebSocket.OPEN);
      socket.close();
      await next(socket, 'close');
    });
  });

  it('stream: whoever takes it at once reads it in place of listeners', async () => {
    const [stream, peer] = createPair();
    const socket = new WebSocket(stream);
    socket.stream.pipe(socket.stream);
    let heard = 0;
    socket.on('message', () => heard++);
    const closed = next(socket, 'close');
    peer.end('echo');
    expect(await peer.toArray()).to.deep.equal(['echo']);
    await closed;
    expect(heard).to.equal(0);
  });

  it('close() without a code sends 1000', async () => {
    const [stream, peer] = createPair();
    const socket = new WebSocket(stream);
    peer.resume();
    const closed = next(socket, 'close');
    socket.close();
    expect((await peer.whenClosed()).code).to.equal(1000);
    await closed;
  });

  it("an error of a peer does not end a server that does not listen for 'error'", async () => {
    await serving({}, async (wss, port) => {
      const connection = next<WebSocket>(wss, 'connection');
      const client = await RawClient.open(port);
      const socket = await connection;
      // A reserved opcode.
      client.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
      expect(await next<number>(socket, 'close')).to.equal(1006);
      client.socket.destroy();
    });
  });

  it('a server that has ended a connection by an error of its own tells it', async () => {
    const [stream, peer] = createPair({ maxBufferedAmount: 1000 });
    const socket = new WebSocket(stream);
    const failure = next<WebSocketError>(socket, 'error');
    peer.pause().on('error', () => {});
    for (let i = 0; i < 10; i++) socket.send(Buffer.alloc(100_000));
    expect((await failure).code).to.equal('WS_ERR_BUFFER_FULL');
    peer.abort();
  });

  it('refuses cross-site requests with cookies, unless origins or a verifyClient decide', async () => {
    const crossSite = 'Origin: https://other.example\r\nCookie: session=1\r\n';
    const expected: [ServerOptions, number][] = [
      [{}, 403],
      [{ origins: ['https://other.example'] }, 101],
      [{ verifyClient: ({ origin }) => origin === 'https://other.example' }, 101],
      [{ verifyClient: ({ origin }) => origin !== 'https://other.example' }, 401],
    ];
    for (const [options, status] of expected)
      await serving(options, async (_wss, port) => {
        expect(await statusOf(port, crossSite)).to.equal(status);
      });
  });

  it('answers a verifyClient that takes longer than handshakeTimeout with 503', async () => {
    let answer: ((verified: boolean) => void) | undefined;
    const verifyClient = (_info: object, done: (verified: boolean) => void) => {
      answer = done;
    };
    await serving({ handshakeTimeout: 20, verifyClient }, async (wss, port) => {
      expect(await statusOf(port, '')).to.equal(503);
      wss.on('connection', () => expect.fail('it was accepted'));
      answer?.(true);
      await turn();
    });
  });

  it('takes the first answer of a verifyClient only', async () => {
    const verifyClient = (_info: object, done: (verified: boolean, code?: number) => void) => {
      done(false, 403);
      done(false, 404);
      done(true);
    };
    await serving({ verifyClient }, async (wss, port) => {
      wss.on('connection', () => expect.fail('it was accepted'));
      expect(await statusOf(port, '')).to.equal(403);
    });
  });

  it('refuses with a status that has no text', async () => {
    const verifyClient = (_info: object, done: (verified: boolean, code?: number) => void) => done(false, 499);
    await serving({ verifyClient }, async (_wss, port) => {
      expect(await statusOf(port, '')).to.equal(499);
    });
  });

  it("'headers': also for a version without Sec-WebSocket-Key", async () => {
    await serving({ versions: ['draft75'] }, async (wss, port) => {
      wss.on('headers', (headers) => headers.push('X-Added: yes'));
      const client = await RawClient.connect(port);
      client.write(
        'GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n',
      );
      const { statusCode, headers } = await client.head();
      expect([statusCode, headers.get('x-added')]).to.deep.equal([101, 'yes']);
      client.socket.destroy();
    });
  });

  it('refuses an upgrade to another protocol with 400', async () => {
    await serving({}, async (_wss, port) => {
      const socket = openSocket(port, 'localhost');
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n');
      expect(await text(socket)).to.match(/^HTTP\/1.1 400 Bad Request\r\n/);
    });
  });

  it('says what to do in place of fragments, and what cannot be sent', async () => {
    const [stream, peer] = createPair();
    const socket = new WebSocket(stream);
    expect(() => socket.send('a', { fin: false })).to.throw('write a stream: socket.stream.write(readable)');
    expect(() => socket.send({ a: 1 }))
      .to.throw('JSON.stringify it')
      .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
    expect(() => socket.ping({})).to.throw('the data of a ping or pong is a string or bytes, not a plain object');
    expect(() => socket.close(5))
      .to.throw()
      .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
    expect(socket.readyState).to.equal(WebSocket.OPEN);
    const closed = next(socket, 'close');
    peer.end();
    await closed;
  });

  it('sends a Blob as one binary message', async () => {
    const [stream, peer] = createPair();
    const socket = new WebSocket(stream);
    socket.send(new Blob(['of ', 'pieces']));
    expect(await next(peer, 'message')).to.deep.equal(Buffer.from('of pieces'));
    peer.end();
    await next(socket, 'close');
  });

  it('takes options of this library beside those of ws, and leaves out others', async () => {
    await serving({ maxPayload: 0, heartbeat: false, unknown: 1 } as ServerOptions, async (wss, port) => {
      const connection = next<WebSocket>(wss, 'connection');
      const client = new WebSocket(`ws://localhost:${port}`, 'chat', {
        followRedirects: true,
        agent: null,
        unknown: 1,
        sendTimeout: false,
      } as never);
      const server = await connection;
      const size = 5 * 1024 * 1024;
      await next(client, 'open');
      client.send(Buffer.alloc(size));
      expect((await next<Buffer>(server, 'message')).length).to.equal(size);
      expect(server.protocol).to.equal('chat');
    });
  });

  it('refuses a URL that is not one, at once', () => {
    expect(() => new WebSocket('nowhere'))
      .to.throw()
      .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
  });

  it('createWebSocketStream() with decodeStrings: false: strings are text messages', async () => {
    const [stream, peer] = createPair();
    const text = createWebSocketStream(new WebSocket(stream), { decodeStrings: false, encoding: 'utf8' });
    text.end('a string');
    peer.resume();
    expect(await next(peer, 'message')).to.equal('a string');
    expect(await peer.whenClosed()).to.include({ code: 1000 });
  });

  it('hands the request to listeners of the server', async () => {
    await serving({}, async (wss, port) => {
      const connection = new Promise<IncomingMessage>((resolve) =>
        wss.on('connection', (_socket, request) => resolve(request)),
      );
      const client = new WebSocket(`ws://localhost:${port}/path?a=1`);
      await next(client, 'open');
      expect((await connection).url).to.equal('/path?a=1');
      client.terminate();
    });
  });
});

describe('The errors of node-websocket-handler/ws', () => {
  it('are WebSocketErrors', () => {
    expect(() => new WebSocketServer()).to.throw(WebSocketError);
  });
});
