import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect as openSocket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { expect } from 'chai';
import * as original from 'ws';
import * as ours from '../../../lib/adapters/ws';

/** What both packages export, in the types of ws: whatever compiles for ws compiles for ours. */
const libraries = { ws: original, 'node-websocket-handler/ws': ours as unknown as typeof original };

/** The arguments of one event. */
// biome-ignore lint/suspicious/noExplicitAny: of any event
const next = (emitter: NodeJS.EventEmitter, event: string): Promise<any[]> =>
  new Promise((resolve) => emitter.once(event, (...parameters) => resolve(parameters)));

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

/** An upgrade request. */
function upgrade(path: string, headers: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`
  );
}

/** The answer to one upgrade request, as text. */
async function ask(port: number, path = '/', headers = ''): Promise<string> {
  const socket = openSocket(port, 'localhost');
  socket.write(upgrade(path, headers));
  return text(socket);
}

for (const [name, { WebSocket, WebSocketServer, createWebSocketStream }] of Object.entries(libraries)) {
  describe(`The API of ws, by ${name}`, () => {
    let wss: original.WebSocketServer;
    let clients: original.WebSocket[];

    async function listen(options: original.ServerOptions = {}): Promise<void> {
      wss = new WebSocketServer({ port: 0, host: 'localhost', ...options });
      await next(wss, 'listening');
    }

    function open(protocols?: string | string[], options?: original.ClientOptions): original.WebSocket {
      const client = new WebSocket(`ws://localhost:${portOf(wss)}/`, protocols, options);
      clients.push(client);
      return client;
    }

    /** Both ends of an open connection. */
    async function connected(): Promise<{ server: original.WebSocket; client: original.WebSocket }> {
      const connection = next(wss, 'connection');
      const client = open();
      const [[server]] = await Promise.all([connection, next(client, 'open')]);
      return { server, client };
    }

    beforeEach(() => {
      clients = [];
    });

    const leave = () => {
      for (const client of clients) if (client.readyState !== WebSocket.CLOSED) client.terminate();
    };

    afterEach(async () => {
      leave();
      await new Promise((resolve) => wss.close(resolve));
    });

    it('has the constants on the class and on its instances', async () => {
      await listen();
      const client = open();
      const states = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const;
      expect(states.map((state) => [WebSocket[state], client[state]])).to.deep.equal([
        [0, 0],
        [1, 1],
        [2, 2],
        [3, 3],
      ]);
      expect(client.readyState).to.equal(WebSocket.CONNECTING);
      await next(client, 'open');
      expect(client.readyState).to.equal(WebSocket.OPEN);
      expect(client.url).to.equal(`ws://localhost:${portOf(wss)}/`);
    });

    it("'message': a Buffer and whether it is binary, for text as well", async () => {
      await listen();
      wss.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
      const client = open();
      await next(client, 'open');
      client.send('grün');
      expect(await next(client, 'message')).to.deep.equal([Buffer.from('grün'), false]);
      client.send(new Uint16Array([1]));
      expect(await next(client, 'message')).to.deep.equal([Buffer.from([1, 0]), true]);
      client.send(5);
      expect(await next(client, 'message')).to.deep.equal([Buffer.from('5'), false]);
      client.send(Buffer.from('text'), { binary: false });
      expect(await next(client, 'message')).to.deep.equal([Buffer.from('text'), false]);
      client.send('bytes', { binary: true, compress: false });
      expect(await next(client, 'message')).to.deep.equal([Buffer.from('bytes'), true]);
      client.send('');
      expect(await next(client, 'message')).to.deep.equal([Buffer.alloc(0), false]);
    });

    it('binaryType: binary messages as Buffer, ArrayBuffer, list of Buffers or Blob', async () => {
      await listen();
      const { server, client } = await connected();
      const received: unknown[] = [];
      for (const type of ['nodebuffer', 'arraybuffer', 'fragments'] as const) {
        client.binaryType = type;
        server.send(Buffer.from('abc'));
        received.push((await next(client, 'message'))[0]);
      }
      expect(received).to.deep.equal([Buffer.from('abc'), new Uint8Array([97, 98, 99]).buffer, [Buffer.from('abc')]]);
      client.binaryType = 'blob' as 'fragments';
      server.send(Buffer.from('abc'));
      const [blob] = await next(client, 'message');
      expect(await (blob as Blob).text()).to.equal('abc');
      client.binaryType = 'nothing' as 'fragments';
      expect(client.binaryType).to.equal('blob');
    });

    it('has the handlers and events of the browser', async () => {
      await listen();
      const { server, client } = await connected();
      const seen: unknown[] = [];
      client.onmessage = ({ type, data, target }) => seen.push(type, data, target === client);
      client.addEventListener('message', ({ data }) => seen.push(`second: ${data}`), { once: true });
      const removed = () => seen.push('never');
      client.addEventListener('message', removed);
      client.removeEventListener('message', removed);
      const both = new Promise<void>((resolve) => client.on('message', (data) => String(data) === 'b' && resolve()));
      server.send('a');
      server.send('b');
      await both;
      expect(seen).to.deep.equal(['message', 'a', true, 'second: a', 'message', 'b', true]);
      expect(client.onmessage).to.be.a('function');
      client.onmessage = null;
      expect(client.onmessage).to.equal(null);
      const closed = new Promise<original.CloseEvent>((resolve) => {
        client.onclose = resolve;
      });
      server.close(4001, 'done');
      expect(await closed).to.include({ type: 'close', code: 4001, reason: 'done', wasClean: true });
    });

    it('calls a handler once, however often it was added, and objects with handleEvent()', async () => {
      await listen();
      const { server, client } = await connected();
      let calls = 0;
      const handler = {
        handleEvent() {
          calls++;
        },
      };
      for (let i = 0; i < 2; i++) client.addEventListener('message', handler as unknown as () => void);
      server.send('x');
      await next(client, 'message');
      expect(calls).to.equal(1);
    });

    it('close(code, reason): the peer and both ends see them, without an error', async () => {
      await listen();
      const { server, client } = await connected();
      const ends = Promise.all([next(server, 'close'), next(client, 'close')]);
      client.close(4000, 'enough');
      expect(client.readyState).to.equal(WebSocket.CLOSING);
      const [atServer, [code]] = await ends;
      // The answer of ws repeats the reason too.
      expect([atServer, code]).to.deep.equal([[4000, Buffer.from('enough')], 4000]);
      expect([server.readyState, client.readyState]).to.deep.equal([3, 3]);
      expect(wss.clients.size).to.equal(0);
    });

    it('terminate(): 1006 on both ends, without an error', async () => {
      await listen();
      const { server, client } = await connected();
      const ends = Promise.all([next(server, 'close'), next(client, 'close')]);
      client.terminate();
      const expected = [1006, Buffer.alloc(0)];
      expect(await ends).to.deep.equal([expected, expected]);
    });

    it('close() and terminate() while connecting: an error, then 1006', async () => {
      await listen();
      for (const method of ['close', 'terminate'] as const) {
        const client = open();
        const ends = Promise.all([next(client, 'error'), next(client, 'close')]);
        client[method]();
        const [[error], end] = await ends;
        expect(error.message).to.include('WebSocket was closed before the connection was established');
        expect(end).to.deep.equal([1006, Buffer.alloc(0)]);
      }
    });

    it('a refused handshake is an error, then 1006', async () => {
      await listen({ verifyClient: () => false });
      const client = open();
      const [[error], end] = await Promise.all([next(client, 'error'), next(client, 'close')]);
      expect(error.message).to.match(/401/);
      expect(end).to.deep.equal([1006, Buffer.alloc(0)]);
    });

    it('send(): throws while connecting, and fails its callback after the end', async () => {
      await listen();
      const client = open();
      expect(() => client.send('x')).to.throw('WebSocket is not open: readyState 0 (CONNECTING)');
      expect(() => client.ping()).to.throw('WebSocket is not open: readyState 0 (CONNECTING)');
      await next(client, 'open');
      const sent = await new Promise((resolve) => client.send('x', resolve));
      expect(sent ?? undefined).to.equal(undefined);
      client.close();
      const failure = await new Promise<Error>((resolve) => client.send('abc', (error) => resolve(error as Error)));
      expect(failure.message).to.match(/WebSocket is not open: readyState [23]/);
      await next(client, 'close');
      client.send('abc');
      expect(client.bufferedAmount).to.be.at.least(3);
    });

    it('send(): null and undefined are empty binary messages, and a number is a text message', async () => {
      await listen();
      const { server, client } = await connected();
      const received: unknown[] = [];
      server.on('message', (data, isBinary) => received.push([String(data), isBinary]));
      for (const data of [null, undefined, 12]) client.send(data as never);
      client.close();
      await next(server, 'close');
      expect(received).to.deep.equal([
        ['', true],
        ['', true],
        ['12', false],
      ]);
    });

    it('send(): the bytes of messages that are sent after the end stay in bufferedAmount', async () => {
      await listen();
      const { client } = await connected();
      client.terminate();
      await next(client, 'close');
      for (const [data, size] of [
        ['grün', 5],
        [Buffer.alloc(10), 10],
        [new ArrayBuffer(100), 100],
        [new Blob(['a Blob']), 6],
      ]) {
        const before = client.bufferedAmount;
        client.send(data as never);
        expect(client.bufferedAmount - before).to.equal(size);
      }
    });

    it('send() with the option compress: compresses one message, or leaves it as it is', async () => {
      await listen({ perMessageDeflate: true });
      const socket = openSocket(portOf(wss), 'localhost');
      const connection = next(wss, 'connection');
      socket.write(upgrade('/', 'Sec-WebSocket-Extensions: permessage-deflate\r\n'));
      const [server] = await connection;
      const message = 'compressible '.repeat(100);
      server.send(message, { compress: true });
      await new Promise((resolve) => server.send(message, { compress: false }, resolve));
      server.terminate();
      const received = await buffer(socket);
      const compressed = received.subarray(received.indexOf('\r\n\r\n') + 4);
      const uncompressed = received.subarray(-message.length - 4);
      // FIN, RSV1 for a compressed message, and the opcode of text.
      expect([compressed[0], uncompressed[0]]).to.deep.equal([0b1100_0001, 0b1000_0001]);
    });

    it('ping() and pong()', async () => {
      await listen();
      const { server, client } = await connected();
      const [ping, pong] = [next(server, 'ping'), next(client, 'pong')];
      client.ping('a', true, () => {});
      expect([await ping, await pong]).to.deep.equal([[Buffer.from('a')], [Buffer.from('a')]]);
      const unsolicited = next(server, 'pong');
      client.pong(Buffer.from('b'));
      expect(await unsolicited).to.deep.equal([Buffer.from('b')]);
    });

    it('ping() and pong() fail their callbacks after the end', async () => {
      await listen();
      const { client } = await connected();
      client.terminate();
      for (const method of ['ping', 'pong'] as const) {
        const error = await new Promise<Error>((resolve) => client[method]('a', true, resolve));
        expect(error.message).to.match(/WebSocket is not open: readyState [23]/);
      }
    });

    it('terminate(), pause() and resume() have no effect after the end', async () => {
      await listen();
      const { client } = await connected();
      client.close();
      await next(client, 'close');
      client.terminate();
      client.pause();
      expect([client.readyState, client.isPaused]).to.deep.equal([WebSocket.CLOSED, false]);
      client.resume();
      expect(client.isPaused).to.equal(false);
    });

    it('pause() and resume() hold messages back', async () => {
      await listen();
      const { server, client } = await connected();
      let received = 0;
      client.on('message', () => received++);
      client.pause();
      expect(client.isPaused).to.equal(true);
      await new Promise((resolve) => server.send('x', resolve));
      await new Promise((resolve) => setImmediate(resolve));
      expect(received).to.equal(0);
      const message = next(client, 'message');
      client.resume();
      expect(client.isPaused).to.equal(false);
      await message;
    });

    it('subprotocols: the first that is offered, or what handleProtocols chooses, also if it is set later', async () => {
      await listen();
      const first = open(['a', 'b']);
      await next(first, 'open');
      expect(first.protocol).to.equal('a');
      wss.options.handleProtocols = (protocols) => [...protocols].at(-1) ?? false;
      const connection = next(wss, 'connection');
      const last = open(['a', 'b']);
      await next(last, 'open');
      expect([last.protocol, (await connection)[0].protocol]).to.deep.equal(['b', 'b']);
    });

    it('subprotocols: none if handleProtocols returns false', async () => {
      await listen({ handleProtocols: () => false });
      wss.on('connection', (socket) => socket.terminate());
      const answer = await ask(portOf(wss), '/', 'Sec-WebSocket-Protocol: a, b\r\n');
      expect(answer)
        .to.match(/^HTTP\/1.1 101 /)
        .and.not.to.match(/Sec-WebSocket-Protocol/i);
    });

    it('protocolVersion: the version that a client uses', async () => {
      await listen();
      for (const protocolVersion of [8, 13]) {
        const connection = next(wss, 'connection');
        const client = open([], { protocolVersion });
        const [[, request]] = await Promise.all([connection, next(client, 'open')]);
        expect(request.headers['sec-websocket-version']).to.equal(`${protocolVersion}`);
      }
    });

    it('extensions: the names of those in use', async () => {
      await listen({ perMessageDeflate: { threshold: 10, zlibDeflateOptions: { level: 9 } } });
      const { server, client } = await connected();
      expect([server.extensions, client.extensions]).to.deep.equal(['permessage-deflate', 'permessage-deflate']);
      const long = 'x'.repeat(10_000);
      server.send(long);
      expect(String((await next(client, 'message'))[0])).to.equal(long);
      const plain = open([], { perMessageDeflate: false });
      await next(plain, 'open');
      expect(plain.extensions).to.equal('');
    });

    it('clientMaxWindowBits: the window that a server lets a client use', async () => {
      await listen({ perMessageDeflate: { clientMaxWindowBits: 10 } });
      wss.on('connection', (socket) => socket.terminate());
      const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n';
      expect(await ask(portOf(wss), '/', offer)).to.match(/permessage-deflate; client_max_window_bits=10\r\n/);
    });

    it("'headers': lines that a listener adds are sent", async () => {
      await listen();
      wss.on('headers', (headers, request) =>
        headers.push('Set-Cookie: a=1', `X-Path: ${request.url}`, 'Set-Cookie: b=2'),
      );
      wss.on('connection', (socket) => socket.terminate());
      const answer = await ask(portOf(wss), '/chat');
      expect(answer).to.match(/^HTTP\/1.1 101 Switching Protocols\r\n/);
      expect(answer).to.match(/Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
      expect(answer.match(/^(?:Set-Cookie|X-Path): .*/gim)?.map((line) => line.trim())).to.have.members([
        'Set-Cookie: a=1',
        'Set-Cookie: b=2',
        'X-Path: /chat',
      ]);
    });

    it("'headers': a listener sees the subprotocol", async () => {
      await listen();
      const headers = next(wss, 'headers');
      wss.on('connection', (socket) => socket.terminate());
      await ask(portOf(wss), '/', 'Sec-WebSocket-Protocol: chat\r\n');
      expect((await headers)[0]).to.include('Sec-WebSocket-Protocol: chat');
    });

    it('verifyClient: with a callback, a status, a body and headers', async () => {
      await listen({
        verifyClient({ origin, secure, req }, done) {
          done(false, 403, `${origin} ${secure} ${req.url}`, { 'X-Why': 'no' });
        },
      });
      const answer = await ask(portOf(wss), '/x', 'Origin: https://a.example\r\n');
      expect(answer).to.match(/^HTTP\/1.1 403 Forbidden\r\n/);
      expect(answer)
        .to.match(/X-Why: no\r\n/)
        .and.to.match(/\r\n\r\nhttps:\/\/a.example false \/x$/);
    });

    it('path and shouldHandle(): other requests get 400', async () => {
      await listen({ path: '/chat' });
      expect(await ask(portOf(wss), '/other?/chat')).to.match(/^HTTP\/1.1 400 /);
      wss.on('connection', (socket) => socket.terminate());
      expect(await ask(portOf(wss), '/chat?room=1')).to.match(/^HTTP\/1.1 101 /);
      wss.shouldHandle = () => false;
      expect(await ask(portOf(wss), '/chat')).to.match(/^HTTP\/1.1 400 /);
    });

    it('a request that is no WebSocket gets 426 of a server of its own', async () => {
      await listen();
      const response = await fetch(`http://localhost:${portOf(wss)}/`);
      expect(response.status).to.equal(426);
      await response.text();
    });

    it('maxPayload: a larger message is an error, and closes with 1009', async () => {
      await listen({ maxPayload: 10 });
      const { server, client } = await connected();
      const failure = next(server, 'error');
      client.send('x'.repeat(11));
      expect((await next(client, 'close'))[0]).to.equal(1009);
      await failure;
    });

    it('close(): waits for the connections, which it does not close', async () => {
      await listen();
      const { client } = await connected();
      let closed = false;
      const server = next(wss, 'close').then(() => {
        closed = true;
      });
      wss.close();
      client.ping();
      await next(client, 'pong');
      expect(closed).to.equal(false);
      client.close();
      await server;
    });

    it('close() calls back, with an error where it was called before', async () => {
      await listen();
      expect(await new Promise((resolve) => wss.close(resolve))).to.equal(undefined);
      const error = await new Promise<Error>((resolve) => wss.close((reason) => resolve(reason as Error)));
      expect(error.message).to.include('The server is not running');
    });

    it('close() calls back each caller while the connections end', async () => {
      await listen();
      const { client } = await connected();
      const closed = [1, 2].map(() => new Promise((resolve) => wss.close(resolve)));
      client.close();
      expect(await Promise.all(closed)).to.deep.equal([undefined, undefined]);
    });

    it('clientTracking: false, and a class of WebSockets of the program', async () => {
      class Mine extends WebSocket {
        readonly mine = true;
      }
      await listen({ clientTracking: false, WebSocket: Mine });
      const { server } = await connected();
      expect((server as Mine).mine).to.equal(true);
      expect(wss.clients).to.equal(undefined);
    });

    it('needs one of port, server and noServer', async () => {
      await listen();
      const http = createServer();
      for (const options of [
        {},
        { port: 0, noServer: true },
        { server: http, port: 0 },
        { server: http, noServer: true },
      ])
        expect(() => new WebSocketServer(options)).to.throw('One and only one of the "port", "server", or "noServer"');
    });

    describe('on a server of the program', () => {
      let http: Server;

      beforeEach(async () => {
        http = createServer((_request, response) => response.end('ordinary')).listen(0, 'localhost');
        await once(http, 'listening');
      });
      afterEach(async () => {
        leave();
        const closed = once(http, 'close');
        http.close();
        http.closeAllConnections();
        await closed;
      });

      it('server: takes its upgrades, and lets go of it when it is closed', async () => {
        wss = new WebSocketServer({ server: http });
        expect(wss.address()).to.deep.equal(http.address());
        const { server, client } = await connected();
        server.close();
        await next(client, 'close');
        expect(await (await fetch(`http://localhost:${portOf(http)}/`)).text()).to.equal('ordinary');
        await new Promise((resolve) => wss.close(resolve));
        expect(http.listenerCount('upgrade')).to.equal(0);
        expect(wss.address()).to.equal(null);
      });

      it('noServer: handleUpgrade() calls back with the WebSocket and the request', async () => {
        wss = new WebSocketServer({ noServer: true });
        expect(() => wss.address()).to.throw('The server is operating in "noServer" mode');
        const upgraded = new Promise<[original.WebSocket, IncomingMessage]>((resolve) => {
          http.on('upgrade', (request, socket, head) => {
            wss.handleUpgrade(request, socket, head, (server, sameRequest) => resolve([server, sameRequest]));
            expect(() => wss.handleUpgrade(request, socket, head, () => {})).to.throw(
              'more than once with the same socket',
            );
          });
        });
        const client = new WebSocket(`ws://localhost:${portOf(http)}/path`);
        clients.push(client);
        const [server, request] = await upgraded;
        expect([server.readyState, request.url]).to.deep.equal([WebSocket.OPEN, '/path']);
        server.send('from the callback');
        expect(String((await next(client, 'message'))[0])).to.equal('from the callback');
      });

      it('close(): waits for the connections of handleUpgrade()', async () => {
        wss = new WebSocketServer({ noServer: true });
        http.on('upgrade', (request, socket, head) =>
          wss.handleUpgrade(request, socket, head, (server) => wss.emit('connection', server)),
        );
        const connection = next(wss, 'connection');
        const client = new WebSocket(`ws://localhost:${portOf(http)}/`);
        clients.push(client);
        await Promise.all([connection, next(client, 'open')]);
        const closed = next(wss, 'close');
        wss.close();
        client.ping();
        await next(client, 'pong');
        expect(wss.clients.size).to.equal(1);
        client.close();
        await closed;
        expect(wss.clients.size).to.equal(0);
      });

      it('refuses with 503 once it is closing', async () => {
        wss = new WebSocketServer({ noServer: true });
        http.on('upgrade', (request, socket, head) => wss.handleUpgrade(request, socket, head, () => {}));
        wss.close();
        expect(await ask(portOf(http))).to.match(/^HTTP\/1.1 503 /);
      });
    });

    it('createWebSocketStream(): a stream of bytes', async () => {
      await listen();
      wss.on('connection', (socket) => {
        const stream = createWebSocketStream(socket);
        stream.pipe(stream);
      });
      const stream = createWebSocketStream(open(), { encoding: 'utf8' });
      stream.end('over a stream');
      expect(await text(stream)).to.equal('over a stream');
    });

    it('createWebSocketStream() with defaultEncoding: how strings are written as bytes', async () => {
      await listen();
      const connection = next(wss, 'connection');
      const stream = createWebSocketStream(open(), { defaultEncoding: 'hex' });
      stream.write('00ff');
      const [server] = await connection;
      expect(await next(server, 'message')).to.deep.equal([Buffer.from([0x00, 0xff]), true]);
      stream.end();
      await next(stream.resume(), 'close');
    });

    it('createWebSocketStream() in object mode: a message each', async () => {
      await listen();
      wss.on('connection', (socket) => {
        socket.send('text');
        socket.send('more');
        socket.close();
      });
      const stream = createWebSocketStream(open(), { readableObjectMode: true });
      expect((await stream.toArray()).map(String)).to.deep.equal(['text', 'more']);
    });
  });
}
