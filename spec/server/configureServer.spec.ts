import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import { WebSocket as Client } from 'ws';
import { configureServer, handleHttpUpgrade, type WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { forgotten, retainedBytes } from '../support/garbage';
import { ask, clientFrame, type Handler, listen, openingRequest, RawClient } from '../support/http';

const echo: Handler = (_request, response) => {
  const ws = response.webSocket?.connect();
  ws?.pipe(ws);
};

describe('configureServer()', () => {
  it('serves https as it serves http', async () => {
    const server = createSecureServer(createCertificate(), echo);
    configureServer(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');

    const { port } = server.address() as AddressInfo;
    const client = new Client(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false });
    await once(client, 'open');
    client.send('over TLS');
    const [message] = await once(client, 'message');
    expect(message.toString()).to.equal('over TLS');
    client.close(1000);
    expect((await once(client, 'close'))[0]).to.equal(1000);
    server.close();
    await once(server, 'close');
  });

  it('does not change ordinary requests', async () => {
    await using server = await listen((_request, response) => {
      expect(response.webSocket).to.equal(undefined);
      response.end('a page');
    });
    const answer = await ask(server.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(answer.body.toString()).to.include('a page');
  });

  it("keeps the opening request, with keepRequest: false only until 'open' has been emitted", async () => {
    const requests: WeakRef<IncomingMessage>[] = [];
    const seen: unknown[] = [];
    await using server = await listen((request, response) => {
      requests.push(new WeakRef(request));
      const ws = response.webSocket?.connect({ keepRequest: request.url === '/kept' });
      const { url } = request;
      ws?.on('open', () => seen.push([url, ws.request?.url]));
      ws?.on('message', () => ws.sendTextMessage(`${ws.request?.url}`));
    });
    for (const [url, kept] of [
      ['/forgotten', 'undefined'],
      ['/kept', '/kept'],
    ] as const) {
      using client = await RawClient.open(server.port, { start: `GET ${url} HTTP/1.1` });
      client.write(clientFrame(0x81, 'hello'));
      await client.until(() => client.received.length >= 2 + kept.length);
      expect(client.received.subarray(2).toString()).to.equal(kept);
      if (url === '/forgotten') await forgotten(requests[0] as WeakRef<IncomingMessage>);
    }
    expect(seen).to.deep.equal([
      ['/forgotten', '/forgotten'],
      ['/kept', '/kept'],
    ]);
  });

  it('has each connection in connections from connect() until its transport has closed', async () => {
    let sizeAtStart: number | undefined;
    await using server = await listen((_request, response) => {
      const ws = response.webSocket as WebSocket;
      expect(server.handle.connections.size).to.equal(0);
      ws.connect().resume();
      sizeAtStart = server.handle.connections.size;
    });
    using client = await RawClient.open(server.port);
    expect(sizeAtStart).to.equal(1);
    const [ws] = server.handle.connections;
    client.write(clientFrame(0x88, ''));
    await client.end();
    await ws?.whenClosed();
    expect(server.handle.connections.size).to.equal(0);
  });

  it('does not count a request whose acceptance fails', async () => {
    await using server = await listen((_request, response) => {
      expect(() => response.webSocket?.connect({ headers: { 'X-Bad': 'a\nb' } })).to.throw(WebSocketError, 'X-Bad');
      response.writeHead(500).end();
    });
    await ask(server.port, openingRequest());
    expect(server.handle.connections.size).to.equal(0);
  });

  it('refuses a value that is no HTTP server and names the accepted servers', () => {
    for (const server of [undefined, null, {}, 'http']) {
      expect(() => configureServer(server as never)).to.throw(WebSocketError, /http, https or http2 server/);
    }
  });

  const framework = Object.assign(() => {}, { on() {}, emit() {}, listen() {} });
  const wrongServers: Record<string, [server: unknown, remedy: RegExp]> = {
    'an application that is a function, as of Express': [
      framework,
      /application.*the server that app\.listen\(\) returns/,
    ],
    'an application that is an object, as of Koa': [{ ...framework }, /application.*app\.listen\(\)/],
    'a server of node:net': [createNetServer(), /node:net.*http\.createServer\(\)/],
    'a server of node:tls': [createTlsServer(), /node:net.*http\.createServer\(\)/],
    'an EventEmitter': [new EventEmitter(), /not an instance of EventEmitter/],
  };
  for (const [what, [server, remedy]] of Object.entries(wrongServers)) {
    it(`refuses ${what} and names the remedy`, () => {
      for (const call of [
        () => configureServer(server as never),
        () => handleHttpUpgrade(server as never, {} as never, {} as never, Buffer.alloc(0)),
      ]) {
        expect(call).to.throw(WebSocketError, remedy).with.property('code', 'WS_ERR_INVALID_ARGUMENT');
      }
    });
  }

  const mistakes: Record<string, [options: object, complaint: RegExp]> = {
    'a size that is no number': [{ maxMessageSize: '2MB' }, /maxMessageSize must be a positive integer of bytes/],
    'a size of nothing': [{ maxMessageSize: 0 }, /maxMessageSize/],
    'a timeout that no timer can have': [{ closeTimeout: 2 ** 31 }, /closeTimeout must be milliseconds/],
    'a negative timeout': [{ handshakeTimeout: -1 }, /handshakeTimeout must be milliseconds/],
    'a timeout that is no number': [{ closeTimeout: Number.NaN }, /closeTimeout/],
    'origins in a word': [{ origins: 'all' }, /origins must be 'any', 'same', a function, or an array of origins/],
    'a version that nobody speaks': [
      { versions: ['14'] },
      /option versions must have only '13', '8', '7', .*, not '14'/,
    ],
    'versions that are no list': [{ versions: '13' }, /versions must be an array/],
    'no versions at all': [{ versions: [] }, /option versions must be an array of at least one version name/],
    'a filter that is no function': [{ filter: '/chat' }, /filter must be a function/],
    'no options object': [null as never, /options must be an object/],
  };
  for (const [what, [options, complaint]] of Object.entries(mistakes)) {
    it(`refuses ${what}`, () => {
      const server = createServer();
      expect(() => configureServer(server, options))
        .to.throw(WebSocketError, complaint)
        .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
      expect(server.listenerCount('upgrade')).to.equal(0);
    });
  }

  it('refuses a server that is configured for all requests already', () => {
    const server = createServer();
    configureServer(server);
    expect(() => configureServer(server, { filter: () => true })).to.throw(
      WebSocketError,
      /configured already.*filter/,
    );
    expect(server.listenerCount('upgrade')).to.equal(1);
  });

  it('lets the request be answered after connect() has refused invalid options', async () => {
    await using server = await listen((_request, response) => {
      try {
        response.webSocket?.connect({ protocol: 'not a token' });
      } catch (error) {
        response.writeHead(500).end((error as Error).message);
      }
    });
    const { statusCode, body } = await ask(server.port, openingRequest());
    expect(statusCode).to.equal(500);
    expect(body.toString()).to.match(/protocol must be the name of a subprotocol/);
  });
});

describe('handleHttpUpgrade()', () => {
  it('handles one WebSocket upgrade for a program and leaves other upgrades alone', async () => {
    const server = createServer(echo);
    const results: boolean[] = [];
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const ours = handleHttpUpgrade(server, request, socket, head);
      results.push(ours);
      if (!ours) socket.end('HTTP/1.1 501 Not Implemented\r\n\r\n');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;

    using client = await RawClient.open(port);
    client.write(clientFrame(0x81, 'hi'));
    expect(await client.take(4)).to.equal('81026869');
    expect((await ask(port, openingRequest({ upgrade: 'Upgrade: h2c' }))).statusCode).to.equal(501);
    expect(results).to.deep.equal([true, false]);
    client.write(clientFrame(0x88, ''));
    await client.end();
    server.close();
    await once(server, 'close');
  });
});

describe('The handle of a server', () => {
  it('closes the connections with a code and refuses new ones with 503 meanwhile', async () => {
    await using server = await listen(echo);
    using client = await RawClient.open(server.port);
    const closed = server.handle.close({ code: 1012, reason: 'deploy' });
    expect(await client.take(10)).to.equal(`880803f4${Buffer.from('deploy').toString('hex')}`);
    const refused = await ask(server.port, openingRequest());
    expect(refused.statusCode).to.equal(503);
    expect(refused.headers.has('retry-after')).to.equal(true);
    client.write(clientFrame(0x88, Buffer.from([3, 244])));
    await closed;
    expect(server.handle.connections.size).to.equal(0);
  });

  it('drops connections that do not close within timeout', async () => {
    await using server = await listen(echo);
    using client = await RawClient.open(server.port);
    await server.handle.close({ timeout: 20 });
    await client.end();
    expect(client.received.toString('hex')).to.equal('880203e9');
  });

  it('closes connections that the application accepts while it closes', async () => {
    let accept = () => {};
    await using server = await listen((_request, response) => {
      accept = () => response.webSocket?.connect().resume();
    });
    using early = await RawClient.connect(server.port);
    early.write(openingRequest());
    await once(server.server, 'upgrade');
    const closed = server.handle.close();
    accept();
    await early.head();
    expect(await early.take(4)).to.equal('880203e9');
    early.socket.destroy();
    await closed;
  });

  for (const end of ['destroy', 'abort'] as const) {
    it(`does not keep a WebSocket that calls ${end}() inside of connect()`, async () => {
      await using server = await listen((_request, response) => {
        const ws = response.webSocket as WebSocket;
        ws.on('start', () => ws[end]());
        ws.connect();
      });
      using client = await RawClient.connect(server.port);
      client.write(openingRequest());
      await client.end().catch(() => {});
      expect(server.handle.connections.size).to.equal(0);
      await server.handle.close();
    });
  }

  it('refuses a code that cannot be sent', () => {
    const handle = configureServer(createServer());
    expect(() => handle.close({ code: 1006 })).to.throw(WebSocketError, /close code/);
    expect(() => handle.close({ timeout: -1 })).to.throw(WebSocketError, /timeout must be milliseconds/);
  });

  it('can be closed with await using', async () => {
    await using server = await listen(echo);
    using client = await RawClient.open(server.port);
    client.socket.on('data', () => client.write(clientFrame(0x88, Buffer.from([3, 233]))));
    await server.handle[Symbol.asyncDispose]();
    expect(server.handle.connections.size).to.equal(0);
  });

  it('closes its WebSockets before the server is closed, if both are declared with await using', async () => {
    const order: string[] = [];
    let code: Promise<number>;
    {
      await using server = createServer(echo);
      await using handle = configureServer(server);
      await once(server.listen(0, 'localhost'), 'listening');
      const client = new Client(`ws://localhost:${(server.address() as AddressInfo).port}/`);
      code = once(client, 'close').then(([code]) => code);
      await once(client, 'open');
      const [ws] = handle.connections;
      ws?.once('close', () => order.push('WebSocket'));
      server.once('close', () => order.push('server'));
    }
    expect(order).to.deep.equal(['WebSocket', 'server']);
    expect(await code).to.equal(1001);
  });
});

describe('A peer that breaks RFC 6455', () => {
  /** Frames as they come from a client, masked with the key 00000000 unless they say otherwise. */
  const violations: Record<string, [bytes: string, closeCode: number]> = {
    'a reserved bit without an extension': ['c1 80 00000000', 1002],
    'another reserved bit': ['a1 80 00000000', 1002],
    'the third reserved bit': ['91 80 00000000', 1002],
    'a reserved opcode for data': ['83 80 00000000', 1002],
    'a reserved opcode for control': ['8b 80 00000000', 1002],
    'a frame without a mask': ['81 02 6869', 1002],
    'a length that is not in the shortest form': ['81 fe 0005 00000000 68656c6c6f', 1002],
    'a 64-bit length for what fits in 16': ['81 ff 0000000000000080 00000000', 1002],
    'a 64-bit length with its top bit set': ['82 ff 8000000000000000 00000000', 1002],
    'a length beyond 2^53': ['82 ff 0020000000000000 00000000', 1009],
    'a message that announces more than the limit': ['82 ff 0000000000200001 00000000', 1009],
    'a ping in fragments': ['09 80 00000000', 1002],
    'a ping of 126 bytes': ['89 fe', 1002],
    'a continuation of nothing': ['80 80 00000000', 1002],
    'a message inside a message': ['01 81 00000000 61 81 81 00000000 62', 1002],
    'text that is not UTF-8': ['81 81 00000000 ff', 1007],
    'text that ends inside a code point': ['81 81 00000000 ce', 1007],
    'text that no continuation can save, in a frame that is not complete': ['81 8a 00000000 ed a0', 1007],
    'a Close of one byte': ['88 81 00000000 03', 1002],
    'a Close with a reserved code': ['88 82 00000000 03ec', 1002],
    'a Close with a code that must not travel': ['88 82 00000000 03ee', 1002],
    'a Close whose reason is not UTF-8': ['88 84 00000000 03e8 c328', 1007],
  };
  for (const [what, [bytes, closeCode]] of Object.entries(violations)) {
    it(`that sends ${what} is closed with ${closeCode} after its earlier messages were answered`, async () => {
      let failure: WebSocketError | undefined;
      await using server = await listen((_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.on('error', (error) => {
          failure = error as WebSocketError;
        });
        ws.pipe(ws);
      });
      using client = await RawClient.open(server.port);
      const [ws] = server.handle.connections;
      const violation = Buffer.from(bytes.replaceAll(' ', ''), 'hex');
      client.write(Buffer.concat([clientFrame(0x81, 'hi'), violation, Buffer.alloc(70_000)]));
      expect(await client.take(4)).to.equal('81026869');
      expect(await client.take(4)).to.equal(`8802${closeCode.toString(16).padStart(4, '0')}`);
      await client.end();
      expect(client.received.length).to.equal(0);
      expect(failure?.closeCode).to.equal(closeCode);
      await ws?.whenClosed();
      expect(server.handle.connections.size).to.equal(0);
    });
  }

  it('is reset without another Close frame if our Close frame was sent', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect().resume().close(1000));
    using client = await RawClient.open(server.port);
    expect(await client.take(4)).to.equal('880203e8');
    client.write(Buffer.from('8380', 'hex'));
    await client.end();
    expect(client.received.length).to.equal(0);
  });

  it('gets no pong for a ping after its Close', async () => {
    await using server = await listen(echo);
    using client = await RawClient.open(server.port);
    client.write(Buffer.concat([clientFrame(0x88, Buffer.from([3, 232])), clientFrame(0x89, 'ping')]));
    expect(await client.take(4)).to.equal('880203e8');
    await client.end();
    expect(client.received.length).to.equal(0);
  });

  it('that sends tiny fragments costs no more memory than their bytes', async () => {
    await using server = await listen(echo);
    using client = await RawClient.open(server.port);
    const fragment = clientFrame(0x00, 'x');
    client.write(clientFrame(0x02, 'x'));
    const before = await retainedBytes();
    client.write(Buffer.concat(Array.from({ length: 100_000 }, () => fragment)));
    client.write(clientFrame(0x89, 'done'));
    await client.take(6);
    // A Buffer for each fragment would be ten million bytes.
    expect((await retainedBytes()) - before).to.be.below(2 * 1024 * 1024);
    client.write(clientFrame(0x80, 'end'));
    await client.until(() => client.received.length >= 100_004 + 10);
    expect(client.received.subarray(-3).toString()).to.equal('end');
  });
});
