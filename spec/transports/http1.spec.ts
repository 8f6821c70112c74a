import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { type Duplex, Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { configureServer, type WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { ask, clientFrame, listen, openingRequest, RawClient, serve } from '../support/http';

/** The frame that echoes the text "hi". */
const hi = '81026869';

describe('A request that asks for another protocol', () => {
  const h2c = {
    upgrade: 'Upgrade: h2c',
    connection: 'Connection: Upgrade, HTTP2-Settings',
    key: undefined,
    version: undefined,
  };

  it('is an ordinary request with its body, on a connection that is kept alive', async () => {
    await using server = await listen(async (request, response) => {
      const body = await buffer(request);
      response.end(`${request.method} ${request.url} ${body}`);
    });
    using client = await RawClient.connect(server.port);
    const length = { more: 'Content-Length: 5', custom: 'X-Custom: Ä' };
    client.write(`${openingRequest({ ...h2c, ...length, start: 'POST /form HTTP/1.1' })}he`);
    await turn();
    client.write('llo');
    expect((await client.head()).statusCode).to.equal(200);
    await client.until(() => client.received.includes('hello'));
    client.received = Buffer.alloc(0);
    client.write('GET /again HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect((await client.answer()).body.toString()).to.include('GET /again');
  });

  it('is left unchanged to another upgrade listener', async () => {
    await using server = await listen(() => expect.fail('not for the application'));
    server.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      if (request.headers.upgrade !== 'other') return;
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\nmine');
    });
    const answer = await ask(server.port, openingRequest({ ...h2c, upgrade: 'Upgrade: other' }));
    expect(answer.statusCode).to.equal(101);
    expect(answer.body.toString()).to.equal('mine');
  });

  it('may be a WebSocket that the filter leaves to another listener', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect().resume(), {
      filter: ({ url }) => url !== '/theirs',
    });
    server.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      if (request.url === '/theirs') socket.end('HTTP/1.1 101 Theirs\r\n\r\n');
    });
    using ours = await RawClient.open(server.port);
    expect(ours.ended).to.equal(false);
    const { headers } = await ask(server.port, openingRequest({ start: 'GET /theirs HTTP/1.1' }));
    expect(headers.has('sec-websocket-accept')).to.equal(false);
  });
});

describe('An upgrade request that no listener handles', () => {
  it('does not end the process when the client resets the connection', async () => {
    await using server = await listen(() => {}, { filter: ({ url }) => url === '/a' });
    server.server.on('upgrade', () => {});
    using client = await RawClient.connect(server.port);
    client.write(openingRequest({ start: 'GET /c HTTP/1.1' }));
    const [, socket] = (await once(server.server, 'upgrade')) as [IncomingMessage, Duplex];
    const closed = new Promise((resolve) => socket.resume().once('close', resolve));
    client.socket.resetAndDestroy();
    await closed;
  });

  it('goes to the application when several configurations of one server decline it', async () => {
    await using server = await listen((request, response) => response.end(`page ${request.url}`), {
      filter: ({ url }) => url === '/a',
    });
    configureServer(server.server, { filter: ({ url }) => url === '/b' });
    using client = await RawClient.connect(server.port);
    client.write(openingRequest({ start: 'GET /c HTTP/1.1' }));
    await client.until(() => client.received.includes('page /c'));
    expect(client.received.toString()).to.include('200 OK');
  });

  it('waits for the answers to earlier requests', async () => {
    await using server = await listen((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('slow'), 20);
      else response.end('fast');
    });
    using client = await RawClient.connect(server.port);
    const foreign = openingRequest({ start: 'GET /f HTTP/1.1', upgrade: 'Upgrade: h2c' });
    client.write(`GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${foreign}`);
    await client.until(() => client.received.includes('fast'));
    expect(client.received.indexOf('slow')).to.be.within(0, client.received.indexOf('fast'));
  });
});

describe('A WebSocket request that the application refuses', () => {
  it('resolves whenClosed() of its WebSocket, which never opens', async () => {
    const { promise: settled, resolve } = withResolvers();
    let late: unknown;
    await using server = await listen((_request, response) => {
      const ws = response.webSocket;
      ws?.on('close', async () => {
        try {
          ws.connect();
        } catch (error) {
          late = (error as { code: string }).code;
        }
        resolve(await ws.whenClosed());
      });
      response.writeHead(401).end();
    });
    await ask(server.port, openingRequest());
    expect(await settled).to.deep.equal({ code: 1006, reason: '', wasClean: false });
    expect(late).to.equal('WS_ERR_NOT_OPEN');
  });

  it('is not answered when its WebSocket is aborted', async () => {
    await using server = await listen((_request, response) => response.webSocket?.abort());
    using client = await RawClient.connect(server.port);
    client.write(openingRequest());
    await client.end();
    expect(client.received.length).to.equal(0);
  });

  it('is answered with its ordinary response, and the connection ends', async () => {
    await using server = await listen((_request, response) => {
      response.writeHead(401, { 'Content-Type': 'application/json', 'WWW-Authenticate': 'Bearer' });
      response.end(JSON.stringify({ error: 'who are you?' }));
    });
    const { statusCode, headers, body } = await ask(server.port, openingRequest());
    expect(statusCode).to.equal(401);
    expect(headers.get('www-authenticate')).to.equal('Bearer');
    expect(headers.get('connection')).to.equal('close');
    expect(body.toString()).to.include('who are you?');
  });

  it('can be answered with a streamed body of any size', async () => {
    const size = 20 * 1024 * 1024;
    await using server = await listen((_request, response) => {
      response.writeHead(403, { 'Content-Length': size });
      let left = size;
      const more = () => {
        while (left > 0) {
          left -= 65536;
          if (!response.write(Buffer.alloc(65536, 'x'))) return response.once('drain', more);
        }
        return response.end();
      };
      more();
    });
    const request = httpRequest({
      port: server.port,
      host: '127.0.0.1',
      headers: {
        Upgrade: 'websocket',
        Connection: 'Upgrade',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version': '13',
      },
    }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).to.equal(403);
    expect((await buffer(response)).length).to.equal(size);
  });

  it("is answered with the application's own 404 and its events if no route matches", async () => {
    const events: string[] = [];
    await using server = await listen((_request, response) => {
      response.on('finish', () => events.push('finish')).on('close', () => events.push('close'));
      response.writeHead(404).end('no such page');
    });
    expect((await ask(server.port, openingRequest())).statusCode).to.equal(404);
    expect(events).to.deep.equal(['finish', 'close']);
  });

  it('is answered with 404 on a server without an application', async () => {
    await using server = await serve(createServer());
    expect((await ask(server.port, openingRequest())).statusCode).to.equal(404);
  });

  it('is answered with 503 when the application takes too long', async () => {
    await using server = await listen(() => {}, { handshakeTimeout: 20 });
    expect((await ask(server.port, openingRequest())).statusCode).to.equal(503);
  });

  it("fails its WebSocket with an 'error' event when connect() is called after the 503", async () => {
    const { promise: failure, resolve } = withResolvers();
    await using server = await listen(
      async (_request, response) => {
        await once(response, 'close');
        const ws = response.webSocket?.connect();
        ws?.on('error', (error) => resolve((error as { code?: string }).code));
      },
      { handshakeTimeout: 20 },
    );
    expect((await ask(server.port, openingRequest())).statusCode).to.equal(503);
    expect(await failure).to.equal('WS_ERR_CONNECTION_LOST');
  });

  it('is answered in full after handshakeTimeout if the body has begun and the peer reads', async () => {
    await using server = await listen(
      ({ socket }, response) => {
        response.writeHead(200);
        response.write('first ');
        // When handshakeTimeout has passed, the socket is given a timeout of its own.
        socket.on('newListener', (event) => {
          if (event === 'timeout') response.end('last');
        });
      },
      { handshakeTimeout: 40 },
    );
    expect((await ask(server.port, openingRequest())).body.toString()).to.include('last');
  });

  it('is answered although the client sent frames early: unread bytes do not reset the connection', async () => {
    await using server = await listen((_request, response) => setImmediate(() => response.writeHead(403).end('no')));
    using client = await RawClient.connect(server.port);
    client.write(openingRequest() + 'x'.repeat(100_000));
    const answer = await client.answer();
    expect(answer.statusCode).to.equal(403);
    expect(answer.body.toString()).to.include('no');
  });
});

describe('A WebSocket request that the application accepts', () => {
  it('is answered through the response, with its cookies, its headers and its hooks on writeHead()', async () => {
    let seen = 0;
    const events: string[] = [];
    await using server = await listen((_request, response) => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.setHeader('X-Powered-By', 'patience');
      // What a middleware sets for an ordinary page must not end up in the 101.
      response.setHeader('Content-Length', 12);
      response.setHeader('Keep-Alive', 'timeout=5');
      const { writeHead } = response;
      response.writeHead = function (this: typeof response, ...parameters: unknown[]) {
        seen = parameters[0] as number;
        this.setHeader('X-Late', 'hook');
        return writeHead.apply(this, parameters as Parameters<typeof writeHead>);
      } as typeof writeHead;
      response.on('finish', () => events.push(`finish ${response.statusCode}`)).on('close', () => events.push('close'));
      const ws = response.webSocket;
      if (ws === undefined) throw new Error('not a WebSocket request');
      ws.responseHeaders['X-One'] = '1';
      ws.connect({ headers: { 'X-Two': '2', Upgrade: 'nonsense' } }).resume();
    });
    using client = await RawClient.connect(server.port);
    client.write(openingRequest());
    const { headers } = await client.head();
    expect(headers.get('set-cookie')).to.equal('a=1, b=2');
    expect(headers.get('x-powered-by')).to.equal('patience');
    expect(headers.get('x-late')).to.equal('hook');
    expect(headers.get('x-one')).to.equal('1');
    expect(headers.get('x-two')).to.equal('2');
    expect(headers.get('upgrade')).to.equal('websocket');
    expect(headers.has('content-length')).to.equal(false);
    expect(headers.has('keep-alive')).to.equal(false);
    expect(seen).to.equal(101);
    client.write(clientFrame(0x89, 'ping'));
    await client.take(6);
    expect(events).to.deep.equal(['finish 101', 'close']);
  });

  it('keeps the frames that were received with it and while the application was waiting', async () => {
    const { promise, resolve } = withResolvers();
    await using server = await listen(async (_request, response) => {
      await promise;
      const ws = response.webSocket?.connect();
      await turn();
      ws?.pipe(ws);
    });
    using client = await RawClient.connect(server.port);
    client.write(Buffer.concat([Buffer.from(openingRequest()), clientFrame(0x81, 'hi')]));
    await turn();
    client.write(clientFrame(0x81, 'ho').subarray(0, 5));
    await turn();
    resolve(undefined);
    await client.head();
    client.write(clientFrame(0x81, 'ho').subarray(5));
    expect(await client.take(8)).to.equal(`${hi}8102686f`);
  });

  it('waits for large responses to earlier requests on its connection', async () => {
    const size = 8 * 1024 * 1024;
    await using server = await listen((_request, response) => {
      if (response.webSocket) response.webSocket.connect().resume();
      else Readable.from(Array.from({ length: 128 }, () => Buffer.alloc(size / 128, 'x'))).pipe(response);
    });
    using client = await RawClient.connect(server.port);
    client.write(`GET /big HTTP/1.1\r\nHost: a\r\n\r\n${openingRequest()}`);
    await client.until(() => client.received.subarray(-300).includes('101 Switching'));
    expect(client.received.length).to.be.above(size);
  });

  it('waits for the responses to earlier requests on its connection in their order', async () => {
    await using server = await listen((request, response) => {
      if (response.webSocket) response.webSocket.connect().resume();
      else setTimeout(() => response.end(request.url), 20);
    });
    using client = await RawClient.connect(server.port);
    client.write(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n${openingRequest()}`);
    await client.until(() => client.received.includes('101 Switching'));
    const text = client.received.toString();
    expect(text.indexOf('/1')).to.be.below(text.indexOf('/2'));
    expect(text.indexOf('/2')).to.be.below(text.indexOf('101 Switching'));
  });

  it('stays open after server.timeout, which is for requests', async () => {
    const timeouts: unknown[] = [];
    await using server = await listen(({ socket }, response) => {
      const ws = response.webSocket?.connect();
      ws?.on('message', (message) => {
        timeouts.push(socket.timeout);
        ws.write(message);
      });
    });
    server.server.timeout = 60_000;
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x81, 'hi'));
    expect(await client.take(4)).to.equal(hi);
    expect(timeouts).to.deep.equal([0]);
  });

  it('cannot be accepted twice or after a response has begun', async () => {
    const codes: unknown[] = [];
    const attempt = (action: () => unknown) => {
      try {
        action();
      } catch (error) {
        codes.push((error as { code: string }).code);
      }
    };
    await using server = await listen((request, response) => {
      const ws = response.webSocket;
      if (request.url === '/twice') {
        ws?.connect().resume();
        attempt(() => ws?.connect());
      } else {
        response.writeHead(200).end('hello');
        attempt(() => ws?.connect());
      }
    });
    using _client = await RawClient.open(server.port, { start: 'GET /twice HTTP/1.1' });
    await ask(server.port, openingRequest({ start: 'GET /late HTTP/1.1' }));
    expect(codes).to.deep.equal(['WS_ERR_ALREADY_CONNECTED', 'WS_ERR_RESPONSE_STARTED']);
  });

  it('can still be answered without the headers of the 101 when a hook on writeHead() throws', async () => {
    await using server = await listen((_request, response) => {
      const { writeHead } = response;
      response.writeHead = () => {
        response.writeHead = writeHead;
        throw new Error('a hook failed');
      };
      expect(() => response.webSocket?.connect({ protocol: 'chat' })).to.throw('a hook failed');
      response.writeHead(500).end('sorry');
    });
    const offer = { more: 'Sec-WebSocket-Protocol: chat' };
    const { statusCode, headers, body } = await ask(server.port, openingRequest(offer));
    expect(statusCode).to.equal(500);
    expect(headers.get('connection')).to.equal('close');
    expect([...headers.keys()].filter((name) => /upgrade|websocket/.test(name))).to.deep.equal([]);
    expect(body.toString()).to.include('sorry');
  });

  it('ignores a body that a framework writes after connect()', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
      response.end('a body');
    });
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x81, 'hi'));
    expect(await client.take(4)).to.equal(hi);
  });

  it('delivers the messages of a client that ends its side right after them', async () => {
    await using server = await listen(async (_request, response) => {
      for (let i = 0; i < 10; i++) await turn();
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
    });
    using client = await RawClient.connect(server.port);
    const frames = [clientFrame(0x81, 'hi'), clientFrame(0x88, Buffer.from([3, 232]))];
    client.socket.end(Buffer.concat([Buffer.from(openingRequest()), ...frames]));
    expect((await client.head()).statusCode).to.equal(101);
    expect(await client.take(8)).to.equal(`${hi}880203e8`);
  });

  const bad: Record<string, (ws: WebSocket) => unknown> = {
    'a header of connect() that would split the response': (ws) =>
      ws.connect({ headers: { 'X-Bad': 'a\r\nX-Injected: 1' } }),
    'a header of responseHeaders that would split the response': (ws) => {
      ws.responseHeaders['X-Bad'] = ['fine', 'a\r\nX-Injected: 1'];
      ws.connect();
    },
    'a header name that is not a token': (ws) => ws.connect({ headers: { 'X-Bad\r\nX-Injected': '1' } }),
    'a subprotocol that is not a token': (ws) => ws.connect({ protocol: 'X-Bad\r\nX-Injected: 1' }),
  };
  for (const [what, connect] of Object.entries(bad)) {
    it(`cannot be given ${what}: a WebSocketError names it, and the request can still be answered`, async () => {
      let thrown: unknown;
      await using server = await listen((_request, response) => {
        try {
          connect(response.webSocket as WebSocket);
        } catch (error) {
          thrown = error;
          response.writeHead(500).end();
        }
      });
      const { statusCode, headers } = await ask(server.port, openingRequest());
      expect(statusCode).to.equal(500);
      expect(headers.has('x-injected')).to.equal(false);
      expect(thrown).to.be.instanceOf(WebSocketError).with.property('code', 'WS_ERR_INVALID_ARGUMENT');
      expect((thrown as Error).message).to.match(/header X-Bad|header name "X-Bad|option protocol/);
    });
  }
});

describe('A client that leaves', () => {
  it('by ending its side before the answer closes the response for a waiting handler', async () => {
    const { promise, resolve } = withResolvers();
    await using server = await listen((_request, response) =>
      response.on('close', () => resolve(response.headersSent)),
    );
    using client = await RawClient.connect(server.port);
    client.socket.end(openingRequest());
    expect(await promise).to.equal(false);
  });

  const request = openingRequest();
  const steps: Record<string, string> = {
    'before a byte': '',
    'inside the request': request.slice(0, 40),
    'right behind the request': request,
    'inside the first frame': `${request}${clientFrame(0x81, 'hello').subarray(0, 4).toString('latin1')}`,
  };
  for (const [when, bytes] of Object.entries(steps)) {
    for (const delayed of [false, true]) {
      it(`${when}, with a reset, while the handler ${delayed ? 'waits' : 'answers'}, leaves no connection behind and the server goes on`, async () => {
        const { promise: handled, resolve } = withResolvers();
        // A client that has sent frames may have said all it wanted to before it ended: only the deadline tells that it is gone.
        const options = { handshakeTimeout: 50 };
        await using server = await listen(async (_request, response) => {
          const socketGone = once(response, 'close');
          if (delayed) await socketGone;
          const ws = response.webSocket?.connect();
          ws?.pipe(ws);
          await ws?.whenClosed();
          resolve(undefined);
        }, options);
        const client = await RawClient.connect(server.port);
        client.socket.write(bytes, 'latin1', () => client.socket.resetAndDestroy());
        if (bytes.length >= request.length) await handled;
        else await client.end();
        expect(server.handle.connections.size).to.equal(0);
        // And the server still serves.
        using next = await RawClient.connect(server.port);
        next.write(request);
        if (!delayed) expect((await next.head()).statusCode).to.equal(101);
      });
    }
  }
});

interface Resolvers {
  readonly promise: Promise<unknown>;
  resolve(value: unknown): void;
}

function withResolvers(): Resolvers {
  let resolve: Resolvers['resolve'] = () => {};
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('A WebSocket of an https server', () => {
  it('still answers a client that has ended its side together with its Close frame', async () => {
    const secure = createSecureServer(createCertificate(), (request, response) => {
      const { socket } = request;
      // It gives the message back when nothing more can be received.
      const late = new Transform({
        objectMode: true,
        transform: (message, _encoding, done) => void socket.once('end', () => done(null, message)),
      });
      const ws = response.webSocket?.connect() as WebSocket;
      ws.pipe(late).pipe(ws);
    });
    await using server = await serve(secure as never);
    const socket = connectTcp({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    const client = connectTls({ socket, rejectUnauthorized: false });
    client.write(openingRequest());
    await once(client, 'readable');
    client.end(Buffer.concat([clientFrame(0x81, 'hi'), clientFrame(0x88, Buffer.of(0x03, 0xe8))]));
    const received = await buffer(client);
    expect(received.toString('hex').slice(-16)).to.equal(`${hi}880203e8`);
  });
});
