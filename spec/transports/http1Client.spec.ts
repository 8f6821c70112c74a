import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, Agent as SecureAgent } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer, type LookupFunction, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { configureServer, connect, type WebSocket } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { failureOf } from '../support/failure';
import { type Handler, listen, serve } from '../support/http';
import { acceptFor, lines, rawServer, switching } from '../support/rawServer';
import { hex } from '../support/vectors';

const echo: Handler = (_request, response) => {
  const ws = response.webSocket?.connect();
  ws?.pipe(ws);
};

/** When a socket is gone, in whatever way. */
const closeOf = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

/** What comes back for one message, on a connection that is closed after it. */
async function echoed(ws: WebSocket, message = 'hello'): Promise<unknown> {
  ws.write(message);
  const [answer] = await once(ws, 'data');
  ws.end();
  expect((await ws.whenClosed()).wasClean).to.equal(true);
  return answer;
}

describe('The response to a client', () => {
  it('is an error with the status, the headers and the body of a refusal', async () => {
    await using server = await listen((_request, response) => {
      response.writeHead(403, { 'X-Why': 'because' }).end('Not before nine in the morning');
    });
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
    expect([error.code, error.statusCode, error.message]).to.deep.equal([
      'WS_ERR_HANDSHAKE_REFUSED',
      403,
      'The server did not accept the WebSocket: 403 Forbidden',
    ]);
    expect(error.headers).to.include({ 'x-why': 'because' });
    expect(String(error.body)).to.equal('Not before nine in the morning');
  });

  it('is an error with the status alone if that has no text', async () => {
    await using server = await rawServer((_head, socket) => socket.end(lines('HTTP/1.1 499 ', 'Content-Length: 0')));
    const { message } = await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
    expect(message).to.equal('The server did not accept the WebSocket: 499');
  });

  it('is an error with at most 64 KiB of the body of a refusal', async () => {
    let gone: Promise<unknown> | undefined;
    await using server = await listen((request, response) => {
      gone = closeOf(request.socket);
      response.writeHead(500);
      // Without end.
      const more = () => void response.write('x'.repeat(10_000), (error) => error || setImmediate(more));
      more();
    });
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
    expect([error.statusCode, error.body?.length]).to.deep.equal([500, 64 * 1024]);
    await gone;
  });

  it('is an error with its status even if the rest of its body is not received', async () => {
    await using silent = await rawServer((_head, socket) =>
      socket.write(`${lines('HTTP/1.1 503 Busy', 'Content-Length: 100')}so far`),
    );
    await using cut = await rawServer((_head, socket) =>
      socket.end(`${lines('HTTP/1.1 503 Busy', 'Content-Length: 100')}so far`),
    );
    await using garbled = await rawServer((_head, socket) =>
      socket.write(`${lines('HTTP/1.1 503 Busy', 'Transfer-Encoding: chunked')}6\r\nso far\r\nno number\r\n`),
    );
    for (const { port } of [silent, cut, garbled]) {
      const error = await failureOf(connect(`ws://127.0.0.1:${port}/`, { handshakeTimeout: 200 }));
      const said = [error.code, error.statusCode, String(error.body)];
      expect(said).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 503, 'so far']);
    }
  });

  it('ends the connection unless it is a valid 101', async () => {
    for (const answer of [
      lines('HTTP/1.1 200 OK', 'Content-Length: 0'),
      lines('HTTP/1.1 200 OK', 'Upgrade: websocket', 'Connection: Upgrade', 'Content-Length: 0'),
      lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'),
      lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: h2c', 'Connection: Upgrade'),
      lines('HTTP/1.1 101 Switching Protocols'),
    ]) {
      let ended: Promise<unknown> | undefined;
      await using server = await rawServer((_head, socket) => {
        ended = closeOf(socket);
        socket.write(answer);
      });
      await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
      await ended;
    }
  });

  const fillers = ['HTTP/1.1 101 Switching Protocols', ...Array.from({ length: 3000 }, (_, i) => `X-${i}: a`)];

  const notUpgraded: readonly (readonly [what: string, answer: (head: string) => string])[] = [
    ['without Upgrade', (head) => switching(head).replace('Upgrade: websocket\r\n', '')],
    ['without Connection', (head) => switching(head).replace('Connection: Upgrade\r\n', '')],
    ['with neither', (head) => lines('HTTP/1.1 101 Switching Protocols', `Sec-WebSocket-Accept: ${acceptFor(head)}`)],
    ['with another protocol beside ours', (head) => switching(head, 'Upgrade: h2c')],
    ['with two answers to the subprotocols', (head) => switching(head, ...Array(2).fill('Sec-WebSocket-Protocol: a'))],
    ['with more headers than Node reads', (head) => lines(...fillers, ...switching(head).split('\r\n').slice(1))],
    ['in HTTP/1.0', (head) => switching(head).replace('HTTP/1.1', 'HTTP/1.0')],
    ['with Transfer-Encoding', (head) => switching(head, 'Transfer-Encoding: chunked')],
    ['with a body', (head) => switching(head, 'Content-Length: 2')],
    ['with a head of 1 MiB', (head) => switching(head, `X-Filler: ${'x'.repeat(1024 * 1024)}`)],
    ['that is no HTTP', () => 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    [
      'with an extension twice',
      (head) => switching(head, ...Array(2).fill('Sec-WebSocket-Extensions: permessage-deflate')),
    ],
    ['with window bits of 16', (head) => deflating(head, 'client_max_window_bits=16')],
    ['with window bits of 7', (head) => deflating(head, 'server_max_window_bits=7')],
    ['with window bits that are no number', (head) => deflating(head, 'server_max_window_bits=1e1')],
    ['with an extension that nobody knows', (head) => switching(head, 'Sec-WebSocket-Extensions: __proto__')],
  ];

  function deflating(head: string, parameters: string): string {
    return switching(head, `Sec-WebSocket-Extensions: permessage-deflate; ${parameters}`);
  }

  for (const [what, answer] of notUpgraded) {
    it(`is not a valid handshake ${what}`, async () => {
      await using server = await rawServer((head, socket) => socket.write(answer(head)));
      const options = { protocols: ['a'], handshakeTimeout: 2000, maxHeaderSize: 100_000 };
      expect((await failureOf(connect(`ws://127.0.0.1:${server.port}/`, options))).code).to.equal(
        'WS_ERR_INVALID_HANDSHAKE',
      );
    });
  }

  it('may have Content-Length: 0', async () => {
    await using server = await rawServer((head, socket) =>
      socket.write(Buffer.concat([Buffer.from(switching(head, 'Content-Length: 0')), hex('81 02 6869 88 02 03e8')])),
    );
    expect(await connect(`ws://127.0.0.1:${server.port}/`).toArray()).to.deep.equal(['hi']);
  });

  it('may follow a 100 and a 103', async () => {
    await using server = await rawServer((head, socket) => {
      socket.write(`${lines('HTTP/1.1 100 Continue')}${lines('HTTP/1.1 103 Early Hints', 'Link: </a>')}`);
      socket.write(Buffer.concat([Buffer.from(switching(head)), hex('81 02 6869 88 02 03e8')]));
    });
    expect(await connect(`ws://127.0.0.1:${server.port}/`).toArray()).to.deep.equal(['hi']);
  });

  it('may be received in any pieces together with frames', async () => {
    await using server = await rawServer((head, socket) => {
      const bytes = Buffer.concat([Buffer.from(switching(head)), hex('81 02 6869 88 02 03e8')]);
      socket.setNoDelay(true);
      const next = (at: number) => {
        if (at < bytes.length) socket.write(bytes.subarray(at, at + 1), () => setImmediate(next, at + 1));
      };
      next(0);
    });
    expect(await connect(`ws://127.0.0.1:${server.port}/`).toArray()).to.deep.equal(['hi']);
  });

  it('is followed by WS_ERR_MASK_FORBIDDEN if the frames behind it are masked', async () => {
    await using server = await rawServer((head, socket) =>
      socket.write(Buffer.concat([Buffer.from(switching(head)), hex('81 82 01020304 696b')])),
    );
    const ws = connect(`ws://127.0.0.1:${server.port}/`);
    const [error] = await once(ws, 'error');
    expect(error.code).to.equal('WS_ERR_MASK_FORBIDDEN');
    expect((await ws.whenClosed()).wasClean).to.equal(false);
  });

  const steps: readonly (readonly [when: string, before: (head: string) => string, code: string])[] = [
    ['when it has read the request', () => '', 'WS_ERR_CONNECTION_FAILED'],
    ['in the status line', () => 'HTTP/1.1 10', 'WS_ERR_CONNECTION_FAILED'],
    ['in the headers', (head) => switching(head).slice(0, 60), 'WS_ERR_CONNECTION_FAILED'],
    ['right behind the head', (head) => switching(head), 'WS_ERR_CONNECTION_LOST'],
    ['in a frame', (head) => `${switching(head)}\x81\x05Hel`, 'WS_ERR_CONNECTION_LOST'],
    ['behind a message', (head) => `${switching(head)}\x81\x05Hello`, 'WS_ERR_CONNECTION_LOST'],
  ];

  for (const [when, before, code] of steps) {
    for (const how of ['resets', 'ends'] as const) {
      it(`is an error if the server ${how} the connection ${when}`, async () => {
        await using server = await rawServer((head, socket) => {
          const leave = () => (how === 'resets' ? socket.resetAndDestroy() : socket.end());
          const bytes = before(head);
          if (bytes === '') leave();
          else socket.write(bytes, 'latin1', leave);
        });
        const ws = connect(`ws://127.0.0.1:${server.port}/`).resume();
        // A reset may overtake what was sent before it.
        expect(
          [code, 'WS_ERR_CONNECTION_FAILED', 'WS_ERR_CONNECTION_LOST'].slice(0, how === 'resets' ? 3 : 1),
        ).to.include((await failureOf(ws)).code);
      });
    }
  }

  it('is awaited for handshakeTimeout at every step', async () => {
    for (const start of [
      '',
      'HTTP/1.1 10',
      lines('HTTP/1.1 100 Continue'),
      lines('HTTP/1.1 302 Found', 'Location: /'),
    ]) {
      await using server = await rawServer((_head, socket) => socket.write(start));
      const ws = connect(`ws://127.0.0.1:${server.port}/`, { handshakeTimeout: 50, followRedirects: 1000 });
      expect((await failureOf(ws)).code).to.be.oneOf(['WS_ERR_HANDSHAKE_TIMEOUT', 'WS_ERR_HANDSHAKE_REFUSED']);
    }
    // A server that takes the connection, and then says nothing at all, in TLS.
    await using mute = await rawServer(() => {});
    const secure = connect(`wss://127.0.0.1:${mute.port}/`, { handshakeTimeout: 50 });
    expect((await failureOf(secure)).code).to.equal('WS_ERR_HANDSHAKE_TIMEOUT');
  });
});

describe('The handshake of a client', () => {
  it('sends another request with the version that the server names in its refusal', async () => {
    const asked: unknown[] = [];
    const handler: Handler = (request, response) => {
      asked.push(request.headers['sec-websocket-version'], request.headers['sec-websocket-origin']);
      echo(request, response);
    };
    await using server = await listen(handler, { versions: ['8', '7'] });
    const options = { versions: ['13', '7', '8'], origin: 'http://example.org' } as const;
    const ws = connect(`ws://127.0.0.1:${server.port}/`, options);
    expect(await echoed(ws)).to.equal('hello');
    expect([ws.version, ...asked]).to.deep.equal(['7', '7', 'http://example.org']);
  });

  it('does not send a version twice, or one that the program has not named', async () => {
    let requests = 0;
    await using server = await rawServer((_head, socket) => {
      requests++;
      socket.end(lines('HTTP/1.1 426 Upgrade Required', 'Sec-WebSocket-Version: 13, 8, 7', 'Content-Length: 0'));
    });
    const both = connect(`ws://127.0.0.1:${server.port}/`, { versions: ['13', '8'] });
    expect((await failureOf(both)).statusCode).to.equal(426);
    expect(requests).to.equal(2);
    expect((await failureOf(connect(`ws://127.0.0.1:${server.port}/`))).statusCode).to.equal(426);
    expect(requests).to.equal(3);
  });

  it('follows no redirect without the option followRedirects', async () => {
    await using server = await listen((_request, response) => void response.writeHead(302, { Location: '/new' }).end());
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
    expect([error.statusCode, error.headers?.['location']]).to.deep.equal([302, '/new']);
  });

  it('follows redirects with a new key each and keeps its headers within the origin', async () => {
    const seen: IncomingMessage['headers'][] = [];
    await using server = await listen((request, response) => {
      seen.push(request.headers);
      if (request.url === '/end') return echo(request, response);
      response.writeHead(307, { Location: request.url === '/' ? '/next' : '/end' }).end();
    });
    const options = { followRedirects: true, headers: { Cookie: 'session=1' }, protocols: ['chat'] };
    expect(await echoed(connect(`ws://me:secret@127.0.0.1:${server.port}/`, options))).to.equal('hello');
    expect(seen.map(({ cookie }) => cookie)).to.deep.equal(['session=1', 'session=1', 'session=1']);
    expect(new Set(seen.map(({ authorization }) => authorization)).size).to.equal(1);
    expect(new Set(seen.map((headers) => headers['sec-websocket-key'])).size).to.equal(3);
    expect(seen.map((headers) => headers['sec-websocket-protocol'])).to.deep.equal(['chat', 'chat', 'chat']);
  });

  it('sends no credentials and no cookies to another origin, or to the first one after that', async () => {
    const seen: unknown[] = [];
    let back = '';
    await using second = await listen((request, response) => {
      seen.push(request.headers.authorization, request.headers.cookie, request.headers['x-trace']);
      response.writeHead(302, { Location: back }).end();
    });
    await using first = await listen((request, response) => {
      seen.push(request.headers.authorization !== undefined, request.headers.cookie, request.headers['x-trace']);
      if (request.url === '/end') return echo(request, response);
      response.writeHead(302, { Location: `http://127.0.0.1:${second.port}/` }).end();
    });
    back = `ws://127.0.0.1:${first.port}/end`;
    const options = { followRedirects: 5, headers: { Cookie: 'session=1', 'X-Trace': 'abc' } };
    expect(await echoed(connect(`ws://me:secret@127.0.0.1:${first.port}/`, options))).to.equal('hello');
    const stranger = [undefined, undefined, 'abc'];
    expect(seen).to.deep.equal([true, 'session=1', 'abc', ...stranger, false, ...stranger.slice(1)]);
  });

  it('follows a redirect from ws to wss but not back', async () => {
    const certificate = createCertificate();
    let location = '';
    const secure = createSecureServer(certificate, (request, response) => {
      if (request.url === '/down') response.writeHead(302, { Location: location }).end();
      else echo(request, response as never);
    });
    await using safe = await serve(secure as never);
    await using plain = await listen((_request, response) => {
      response.writeHead(301, { Location: `https://localhost:${safe.port}/` }).end();
    });
    location = `ws://127.0.0.1:${plain.port}/`;
    const options = { followRedirects: true, ca: certificate.cert, family: 4 };
    expect(await echoed(connect(location, options))).to.equal('hello');
    const error = await failureOf(connect(`wss://localhost:${safe.port}/down`, options));
    expect([error.code, error.message.includes('not encrypted')]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', true]);
  });

  it('stops after the allowed number of redirects', async () => {
    let requests = 0;
    await using server = await listen((_request, response) => {
      requests++;
      response.writeHead(302, { Location: '/' }).end();
    });
    for (const [followRedirects, expected] of [
      [true, 11],
      [3, 4],
    ] as const) {
      requests = 0;
      const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`, { followRedirects }));
      expect([error.message.includes('redirects'), error.statusCode, requests]).to.deep.equal([true, 302, expected]);
    }
  });

  it('fails without ending the process when a redirect leads where its agent cannot connect', async () => {
    await using server = await listen((_request, response) => {
      response.writeHead(302, { Location: 'wss://127.0.0.1:1/' }).end();
    });
    class OwnAgent extends Agent {}
    const options = { followRedirects: true, agent: new OwnAgent() };
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`, options));
    expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 302]);
  });

  it('sends no client certificate of an agent to the origin of a redirect', async () => {
    const certificate = createCertificate();
    const shown: unknown[] = [];
    const requesting = { ...certificate, requestCert: true, rejectUnauthorized: false };
    const start = (handler: (request: IncomingMessage, response: ServerResponse) => void) =>
      serve(createSecureServer(requesting, handler) as never);
    const show = ({ socket }: IncomingMessage) =>
      shown.push(Object.keys((socket as TLSSocket).getPeerCertificate()).length > 0);
    await using second = await start((request, response) => {
      show(request);
      echo(request, response as never);
    });
    await using first = await start((request, response) => {
      show(request);
      response.writeHead(302, { Location: `wss://localhost:${second.port}/` }).end();
    });
    const agent = new SecureAgent({ ca: certificate.cert, cert: certificate.cert, key: certificate.key, family: 4 });
    expect(await echoed(connect(`wss://localhost:${first.port}/`, { followRedirects: true, agent }))).to.equal('hello');
    expect(shown).to.deep.equal([true, false]);
  });

  it('connects to a Unix domain socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'socket-'));
    const path = join(folder, 'app.sock');
    let asked: unknown;
    const server = createServer((request, response) => {
      asked = [request.url, request.headers.host];
      if (request.url === '/moved') response.writeHead(302, { Location: '/chat?room=1' }).end();
      else echo(request, response);
    });
    configureServer(server);
    await once(server.listen(path), 'listening');
    try {
      expect(await echoed(connect(`ws+unix:${path}:/chat?room=1`))).to.equal('hello');
      expect(asked).to.deep.equal(['/chat?room=1', 'localhost']);
      expect(await echoed(connect(`ws+unix:${path}:/moved`, { followRedirects: true }))).to.equal('hello');
      expect(await echoed(connect('ws://localhost/', { socketPath: path }))).to.equal('hello');
    } finally {
      await once(server.close(), 'close');
      rmSync(folder, { recursive: true });
    }
  });

  it('uses the connections of its agent, and another one if the server has just closed the first', async () => {
    await using server = await rawServer((head, socket) => {
      if (!head.includes('Upgrade')) {
        socket.write(lines('HTTP/1.1 200 OK', 'Content-Length: 0'));
        // The next request on this connection meets a reset.
        socket.once('data', () => socket.resetAndDestroy());
      } else socket.write(Buffer.concat([Buffer.from(switching(head)), hex('81 02 6869 88 02 03e8')]));
    });
    const agent = new Agent({ keepAlive: true });
    const [response] = (await once(get({ port: server.port, host: '127.0.0.1', agent }), 'response')) as [
      IncomingMessage,
    ];
    const free = once(agent, 'free');
    response.resume();
    await free;
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { agent });
    expect(await ws.toArray()).to.deep.equal(['hi']);
    agent.destroy();
  });

  it('tries the addresses of a name one family after the other, as Node does', async () => {
    await using server = await listen(echo);
    const tried: string[] = [];
    const lookup: LookupFunction = (hostname, _options, done) => {
      tried.push(hostname);
      // The first address takes no connection.
      done(null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]);
    };
    const options = { lookup, autoSelectFamily: true };
    expect(await echoed(connect(`ws://somewhere.example:${server.port}/`, options))).to.equal('hello');
    expect(tried).to.deep.equal(['somewhere.example']);
  });

  it('has the reason for every address of a name in its error', async () => {
    const lookup: LookupFunction = (_hostname, _options, done) =>
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    const closed = await rawServer(() => {});
    await closed[Symbol.asyncDispose]();
    const ws = connect(`ws://somewhere.example:${closed.port}/`, { lookup, autoSelectFamily: true });
    const { code, message } = await failureOf(ws);
    expect(code).to.equal('WS_ERR_CONNECTION_FAILED');
    expect(message).to.match(/ECONNREFUSED 127\.0\.0\.1.*ECONNREFUSED 127\.0\.0\.2/);
  });

  it('uses localAddress and createConnection as http.request() does', async () => {
    const from: unknown[] = [];
    await using server = await listen((request, response) => {
      from.push(request.socket.remoteAddress);
      echo(request, response);
    });
    await echoed(connect(`ws://127.0.0.1:${server.port}/`, { localAddress: '127.0.0.2' }));
    const made: Socket[] = [];
    const createConnection = () => {
      made.push(connectTcp(server.port, '127.0.0.1'));
      return made[0] as Socket;
    };
    await echoed(connect('ws://nowhere.example/', { createConnection }));
    expect([from, made.length]).to.deep.equal([['127.0.0.2', '127.0.0.1'], 1]);
  });
});

describe('The signal of a client', () => {
  const reason = new Error('the user has left');

  it('aborts the handshake before anything is sent', async () => {
    let connections = 0;
    const server = createTcpServer(() => connections++).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const ws = connect(`ws://127.0.0.1:${port}/`, { signal: AbortSignal.abort(reason) });
    const error = await failureOf(ws);
    expect([error.code, error.cause, ws.destroyed]).to.deep.equal(['WS_ERR_ABORTED', reason, true]);
    await once(server.close(), 'close');
    expect(connections).to.equal(0);
  });

  it('aborts the handshake while the name is looked up and while the connection is made', async () => {
    for (const lookup of [(() => {}) as LookupFunction, undefined]) {
      await using server = await rawServer(() => {});
      const abort = new AbortController();
      const host = lookup ? 'somewhere.example' : '127.0.0.1';
      const ws = connect(`ws://${host}:${server.port}/`, { signal: abort.signal, ...(lookup && { lookup }) });
      abort.abort(reason);
      expect((await failureOf(ws)).code).to.equal('WS_ERR_ABORTED');
    }
  });

  for (const [when, answer] of [
    ['the answer', ''],
    ['the rest of the answer', 'HTTP/1.1 10'],
    ['the body of a refusal', lines('HTTP/1.1 500 Oops', 'Content-Length: 10')],
  ] as const) {
    it(`aborts the handshake while the client waits for ${when}, and the server sees it`, async () => {
      const abort = new AbortController();
      let gone: Promise<unknown> | undefined;
      await using server = await rawServer((_head, socket) => {
        gone = closeOf(socket);
        socket.write(answer, () => setImmediate(() => abort.abort(reason)));
      });
      const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`, { signal: abort.signal }));
      expect([error.code, error.cause]).to.deep.equal(['WS_ERR_ABORTED', reason]);
      await gone;
    });
  }

  it('aborts an open connection, which is not a clean end for the peer', async () => {
    const abort = new AbortController();
    let closed: Promise<unknown> | undefined;
    await using server = await listen((_request, response) => {
      closed = response.webSocket?.connect().whenClosed();
    });
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { signal: abort.signal });
    await once(ws, 'open');
    abort.abort(reason);
    const [error] = await once(ws, 'error').catch((cause) => [cause]);
    expect([error.code, error.cause]).to.deep.equal(['WS_ERR_ABORTED', reason]);
    expect(await closed).to.deep.include({ code: 1011 });
  });

  it('has no effect and no listener once the connection has ended', async () => {
    await using server = await listen(echo);
    const abort = new AbortController();
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { signal: abort.signal });
    const failures: unknown[] = [];
    ws.on('error', (error) => failures.push(error));
    await echoed(ws);
    abort.abort();
    expect(failures).to.deep.equal([]);
  });
});
