import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { WebSocketServer as WsServer } from 'ws';
import { knownVersions } from '../../lib/versions';
import { connect, Deframer, type Message, type Version, type WebSocket } from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { failureOf } from '../support/failure';
import { listen, serve } from '../support/http';
import { acceptFor, lines, rawServer, switching } from '../support/rawServer';
import { thrownBy } from '../support/thrown';
import { hex } from '../support/vectors';

describe('connect()', () => {
  for (const version of knownVersions) {
    it(`exchanges messages in version ${version} with our server and ends cleanly`, async () => {
      const versions: Version[] = [...knownVersions];
      const seen: unknown[] = [];
      await using server = await listen(
        (request, response) => {
          const ws = response.webSocket?.connect();
          seen.push(ws?.version, request.url, ws?.protocol);
          ws?.pipe(ws);
        },
        { versions, perMessageDeflate: true },
      );
      const ws = connect(`ws://127.0.0.1:${server.port}/path?query#fragment`, { version, protocols: ['chat'] });
      const sent = ['early', 'x'.repeat(100_000), ''];
      for (const message of sent) ws.write(message);
      const echoes: Message[] = [];
      for await (const message of ws) {
        echoes.push(message);
        if (echoes.length === sent.length) ws.end();
      }
      expect(echoes).to.deep.equal(sent);
      expect((await ws.whenClosed()).wasClean).to.equal(true);
      const protocol = ['13', '8', '7'].includes(version) ? '' : 'chat';
      expect(seen).to.deep.equal([version, '/path?query', protocol]);
      expect([ws.version, ws.protocol]).to.deep.equal([version, protocol]);
    });
  }

  it('works in every version over TLS', async () => {
    const certificate = createCertificate();
    const server = createSecureServer(certificate, (_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
    });
    await using running = await serve(server as unknown as HttpServer, { versions: knownVersions });
    for (const version of knownVersions) {
      const ws = connect(`wss://localhost:${running.port}/`, { version, ca: certificate.cert, family: 4 });
      ws.write('over TLS');
      expect(await once(ws, 'data')).to.deep.equal(['over TLS']);
      ws.end();
      expect((await ws.whenClosed()).wasClean, version).to.equal(true);
    }
    const untrusting = connect(`wss://localhost:${running.port}/`, { family: 4 });
    expect((await failureOf(untrusting)).code).to.equal('WS_ERR_CONNECTION_FAILED');
  });

  it('exchanges compressed messages with a server of the ws package', async () => {
    const server = new WsServer({ port: 0, perMessageDeflate: true });
    server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    const ws = connect(`ws://localhost:${(server.address() as AddressInfo).port}`);
    const sent = ['a', 'b'.repeat(5000), Buffer.alloc(100_000, 'c')];
    for (const message of sent) ws.write(message);
    const echoes: Message[] = [];
    for await (const message of ws) {
      echoes.push(message);
      if (echoes.length === sent.length) ws.close(1000);
    }
    expect(echoes).to.deep.equal(sent);
    expect(ws.extensions).to.match(/^permessage-deflate/);
    server.close();
  });

  const badAnswers: readonly (readonly [what: string, answer: (head: string) => string, detail: string])[] = [
    ['another key', (head) => switching(head).replace(acceptFor(head), acceptFor('')), 'Sec-WebSocket-Accept'],
    ['two keys', (head) => switching(head, `Sec-WebSocket-Accept: ${acceptFor(head)}`), 'Sec-WebSocket-Accept'],
    ['another protocol', (head) => switching(head).replace('Upgrade: websocket', 'Upgrade: other'), 'Upgrade'],
    ['a subprotocol that was not offered', (head) => switching(head, 'Sec-WebSocket-Protocol: other'), 'other'],
    ['an extension that was not offered', (head) => switching(head, 'Sec-WebSocket-Extensions: foo'), 'foo'],
    [
      'an absurd window',
      (head) => switching(head, 'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99'),
      'permessage-deflate',
    ],
  ];

  for (const [what, answer, detail] of badAnswers) {
    it(`fails on a response with ${what}`, async () => {
      await using server = await rawServer((head, socket) => socket.write(answer(head)));
      const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`, { protocols: ['mine'] }));
      expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
      expect(error.message).to.include(detail);
    });
  }

  it('reads frames that are received with the response in every version', async () => {
    await using server = await rawServer((head, socket) =>
      socket.write(Buffer.concat([Buffer.from(switching(head)), hex('81 02 6869 88 02 03e8')])),
    );
    expect(await connect(`ws://127.0.0.1:${server.port}/`).toArray()).to.deep.equal(['hi']);
  });

  it('answers a Close frame that is received with the end of the byte stream, after its own messages', async () => {
    const received = new PassThrough();
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.once('data', (head) => {
        socket.pipe(received);
        socket.end(Buffer.concat([Buffer.from(switching(head.toString('latin1'))), hex('81 02 6869 88 02 03e8')]));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const ws = connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const masked = new Deframer({ role: 'server' });
    const answers = received.pipe(masked).toArray();
    for await (const message of ws) {
      await turn();
      ws.write(`${message} yourself`);
    }
    expect(await answers).to.deep.equal(['hi yourself', { opcode: 'close', code: 1000, reason: '' }]);
    expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    await once(server.close(), 'close');
  });

  it('has the status, headers and body of a refusal in its error', async () => {
    await using server = await listen(
      (_request, response) => void response.writeHead(401, { 'X-Why': 'because' }).end(),
    );
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
    expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 401]);
    expect(error.headers).to.include({ 'x-why': 'because' });
  });

  it('fails when the port is closed, when no response is received and when the connection is lost', async () => {
    const closed = await rawServer(() => {});
    await closed[Symbol.asyncDispose]();
    expect((await failureOf(connect(`ws://127.0.0.1:${closed.port}/`))).code).to.equal('WS_ERR_CONNECTION_FAILED');
    await using silent = await rawServer(() => {});
    const late = connect(`ws://127.0.0.1:${silent.port}/`, { handshakeTimeout: 30 });
    expect((await failureOf(late)).code).to.equal('WS_ERR_HANDSHAKE_TIMEOUT');
    await using cut = await rawServer((_head, socket) => socket.destroy());
    expect((await failureOf(connect(`ws://127.0.0.1:${cut.port}/`))).code).to.equal('WS_ERR_CONNECTION_FAILED');
  });

  for (const version of ['draft76', 'draft03'] as const) {
    const answer76 = (head: string, origin: string) =>
      lines(
        'HTTP/1.1 101 WebSocket Protocol Handshake',
        'Upgrade: WebSocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Origin: ${origin}`,
        `Sec-WebSocket-Location: ws://${/host: (.*)\r\n/i.exec(head)?.[1]}/`,
      );

    it(`fails on a wrong answer to the challenge of ${version} and on another origin`, async () => {
      for (const [origin, detail] of [
        ['http://a.example', 'challenge'],
        ['http://b.example', 'Sec-WebSocket-Origin'],
      ] as const) {
        await using server = await rawServer((head, socket) =>
          socket.write(`${answer76(head, origin)}${'x'.repeat(16)}`),
        );
        const ws = connect(`ws://127.0.0.1:${server.port}/`, { version, origin: 'http://a.example' });
        const error = await failureOf(ws);
        expect([error.code, error.message.includes(detail)]).to.deep.equal(['WS_ERR_INVALID_HANDSHAKE', true]);
      }
    });
  }

  it('fails on a server of a draft that does not answer the subprotocol', async () => {
    await using server = await rawServer((head, socket) => {
      const location = `WebSocket-Location: ws://${/host: (.*)\r\n/i.exec(head)?.[1]}/`;
      const start = ['HTTP/1.1 101 Web Socket Protocol Handshake', 'Upgrade: WebSocket', 'Connection: Upgrade'];
      socket.write(lines(...start, 'WebSocket-Origin: http://a.example', location));
    });
    const options = { version: 'draft75', protocols: ['mine'], origin: 'http://a.example' } as const;
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`, options));
    expect([error.code, error.message.includes('subprotocol')]).to.deep.equal(['WS_ERR_INVALID_HANDSHAKE', true]);
  });

  it('sends the name and the password of the URL in Authorization only', async () => {
    const seen: unknown[] = [];
    await using server = await listen((request, response) => {
      seen.push(request.headers.authorization, request.headers['sec-websocket-version'], request.url);
      response.webSocket?.connect().end('welcome');
    });
    for (const version of ['13', 'draft76'] as const) {
      const ws = connect(`ws://me:p%40ss@127.0.0.1:${server.port}/`, { version });
      expect(await ws.toArray()).to.deep.equal(['welcome']);
    }
    const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    expect(seen).to.deep.equal([authorization, '13', '/', authorization, undefined, '/']);
  });

  it('fails after handshakeTimeout if the server accepts and does not answer the challenge', async () => {
    await using server = await rawServer((head, socket) => {
      const location = `Sec-WebSocket-Location: ws://${/host: (.*)\r\n/i.exec(head)?.[1]}/`;
      const start = ['HTTP/1.1 101 WebSocket Protocol Handshake', 'Upgrade: WebSocket', 'Connection: Upgrade'];
      socket.write(`${lines(...start, 'Sec-WebSocket-Origin: http://a.example', location)}half`);
    });
    const options = { version: 'draft76', origin: 'http://a.example', handshakeTimeout: 30 } as const;
    const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`, options));
    expect(error.code).to.equal('WS_ERR_HANDSHAKE_TIMEOUT');
  });

  it('can be destroyed at any time', async () => {
    await using server = await rawServer(() => {});
    for (const give of [(ws: WebSocket) => ws.abort(), (ws: WebSocket) => ws.destroy()]) {
      const ws = connect(`ws://127.0.0.1:${server.port}/`);
      give(ws);
      expect((await ws.whenClosed()).code).to.equal(1006);
    }
  });

  describe('names the invalid argument in its error:', () => {
    for (const [url, options, complaint] of [
      [
        'nowhere',
        {},
        "the URL must be one with the scheme ws, wss, http, https, or ws+unix as in ws+unix:/path/of/socket:/path?query, not 'nowhere'",
      ],
      ['ftp://localhost', {}, "not 'ftp://localhost'"],
      ['localhost:4080', {}, "not 'localhost:4080'; did you mean ws://localhost:4080?"],
      ['', {}, "not ''"],
      [5, {}, 'not 5'],
      ['ws://localhost', { protocols: ['a', 'a'] }, 'protocols'],
      ['ws://localhost', { protocols: ['a b'] }, 'protocols'],
      ['ws://localhost', { protocols: ['a', 'b'], version: 'draft76' }, 'one name'],
      ['ws://localhost', { version: '5' }, 'version'],
      ['ws://localhost', { version: '13', versions: ['13'] }, 'exclude each other'],
      ['ws://localhost', { versions: [] }, 'at least one'],
      ['ws://localhost', { versions: ['13', '5'] }, "option versions must have only '13', '8', '7'"],
      ['ws://localhost', { maxMessageSize: 0 }, 'maxMessageSize'],
      ['ws://localhost', { followRedirects: -1 }, 'followRedirects must be a boolean or a number of redirects, not -1'],
      ['ws://localhost', { signal: {} }, 'signal must be an AbortSignal, not a plain object'],
      [
        'ws://localhost',
        { origin: new URL('http://localhost') },
        'origin must be a string of characters that a header may have, not an instance of URL',
      ],
      [
        'ws://localhost',
        { headers: new Headers({ a: 'b' }) },
        'headers must be a plain object with headers, not an instance of Headers',
      ],
      [
        'ws://localhost',
        { headers: { 'X-Split': 'a\r\nb' } },
        'option headers must have names and values that Node accepts',
      ],
      ['ws://localhost', { headers: { 'X Y': 'a' } }, 'option headers must have names and values that Node accepts'],
      [
        'ws://localhost',
        { headers: { 'X-Nothing': undefined } },
        'option headers must have names and values that Node accepts',
      ],
      ['ws://localhost', { headers: { 'sec-websocket-protocol': 'a' } }, 'use option protocols'],
      [
        'ws://localhost',
        { origin: 'http://a.example\r\nX: y' },
        'option origin must be a string of characters that a header',
      ],
      ['ws://localhost', { auth: 5 }, 'Node refuses an option'],
      ['ws://localhost', { agent: 'proxy' }, 'Node refuses an option'],
      ['ws://localhost', ['chat'], "options must be an object, not [ 'chat' ]; subprotocols go into option protocols"],
      ['ws://localhost', 'chat', "options must be an object, not 'chat'; subprotocols go into option protocols"],
      ['ws://localhost', { maxPayload: 5 }, 'unknown option maxPayload; did you mean maxMessageSize?'],
      ['ws://localhost', { maxMessagesize: 5 }, 'unknown option maxMessagesize; did you mean maxMessageSize?'],
      ['ws://localhost', { rejectUnauthorised: false }, 'did you mean rejectUnauthorized?'],
      ['ws://localhost', { origins: 'any' }, 'unknown option origins; did you mean origin?'],
      ['ws://localhost', { maxRedirects: 5 }, 'did you mean followRedirects?'],
      ['ws://localhost', { path: '/chat' }, 'unknown option path; it belongs into the URL'],
      ['ws://localhost', { protocol: 'chat' }, 'did you mean protocols, for subprotocols?'],
      ['ws://localhost', { maxAttempts: 5 }, 'unknown option maxAttempts'],
      ['ws://localhost', { reconnect: true }, 'unknown option reconnect; use reconnecting()'],
      ['ws://localhost', { headers: { Connection: 'close' } }, 'belongs to the opening handshake'],
    ] as const) {
      it(`'${url}' with ${inspect(options, { breakLength: Number.POSITIVE_INFINITY })}`, () => {
        const error = thrownBy(() => connect(url as string, options as object));
        expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
        expect(error.message).to.include(complaint);
      });
    }
  });

  it('does not show the secrets of an invalid URL in its error', () => {
    for (const url of [
      'ftp://ann:secret@localhost/a?token=secret',
      'ws://ann:secret@[localhost/#secret',
      '//secret@a',
    ]) {
      const { message } = thrownBy(() => connect(url));
      expect(message).to.include('the URL must be').and.not.include('secret');
    }
  });
});
