import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import { type ClientOptions, connect, type WebSocket, WebSocketError } from '../lib/webSocketHandler';
import { createCertificate } from './support/certificate';
import { listenHttp2 } from './support/http2';

interface HostileServer extends AsyncDisposable {
  readonly port: number;
  readonly sessions: ServerHttp2Session[];
  readonly sockets: Set<Socket>;
}

async function listening(server: Server, sessions: ServerHttp2Session[] = []): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sessions,
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A server that does with each extended CONNECT what a good one would not. */
async function answering(answer: (stream: ServerHttp2Stream, number: number) => void): Promise<HostileServer> {
  const server = createServer({ settings: { enableConnectProtocol: true } });
  const sessions: ServerHttp2Session[] = [];
  let number = 0;
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    answer(stream, ++number);
  });
  return await listening(server, sessions);
}

const tcp = (onSocket: (socket: Socket) => void) => listening(createTcpServer(onSocket));

function open({ port }: Pick<HostileServer, 'port'>, options: ClientOptions = {}, scheme = 'ws'): WebSocket {
  return connect(`${scheme}://localhost:${port}/`, { http2: true, family: 4, ...options });
}

/** What a connection that cannot be made fails with. */
async function failure(ws: WebSocket): Promise<WebSocketError> {
  const [error] = (await once(ws, 'error')) as [WebSocketError];
  expect(error).to.be.instanceOf(WebSocketError);
  expect((await ws.closed).code).to.equal(1006);
  return error;
}

describe('A client, and an HTTP/2 server', () => {
  describe('that does not get as far as an answer', () => {
    it('because nobody listens: an error', async () => {
      const server = await tcp(() => {});
      await server[Symbol.asyncDispose]();
      expect((await failure(open(server))).code).to.equal('WS_ERR_CONNECTION_FAILED');
    });

    it('because it says nothing: it has until handshakeTimeout', async () => {
      await using server = await tcp((socket) => socket.resume());
      expect((await failure(open(server, { handshakeTimeout: 50 }))).code).to.equal('WS_ERR_HANDSHAKE_TIMEOUT');
    });

    it('because it does not answer the request: it has until handshakeTimeout', async () => {
      await using server = await answering(() => {});
      expect((await failure(open(server, { handshakeTimeout: 200 }))).code).to.equal('WS_ERR_HANDSHAKE_TIMEOUT');
    });

    it('because it ends every connection: an error, not of HTTP/2 alone', async () => {
      await using server = await tcp((socket) => socket.end());
      expect((await failure(open(server))).code).to.equal('WS_ERR_CONNECTION_FAILED');
    });

    it('because it speaks neither HTTP/2 nor HTTP/1.1', async () => {
      await using server = await tcp((socket) => socket.end('220 mail.example ESMTP\r\n'));
      expect((await failure(open(server))).code).to.equal('WS_ERR_INVALID_HANDSHAKE');
    });

    it('because its certificate is not trusted', async () => {
      await using server = await listening(createTlsServer({ ...createCertificate(), ALPNProtocols: ['h2'] }));
      const { code, cause } = await failure(open(server, {}, 'wss'));
      expect([code, (cause as { code: string }).code]).to.deep.equal([
        'WS_ERR_CONNECTION_FAILED',
        'DEPTH_ZERO_SELF_SIGNED_CERT',
      ]);
    });

    it('because it agrees on HTTP/2, and then breaks off', async () => {
      const certificate = createCertificate();
      await using server = await listening(
        createTlsServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket) => socket.on('error', () => {}).end()),
      );
      const { code } = await failure(open(server, { ca: certificate.cert }, 'wss'));
      expect(code).to.equal('WS_ERR_CONNECTION_FAILED');
    });

    for (const [what, breakOff] of [
      ['resets the stream', (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
      [
        'refuses the stream on a new session',
        (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
      ],
      ['destroys the session', (stream: ServerHttp2Stream) => stream.session?.destroy()],
      [
        'says GOAWAY with an error',
        (stream: ServerHttp2Stream) => stream.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR),
      ],
    ] as const) {
      it(`because it ${what}`, async () => {
        await using server = await answering(breakOff);
        expect((await failure(open(server))).code).to.equal('WS_ERR_CONNECTION_FAILED');
      });
    }
  });

  it('that refuses a stream on a session that has served: another session is tried, once', async () => {
    await using server = await answering((stream, number) => {
      if (number === 1) stream.respond({ ':status': 200 });
      else stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    const first = open(server);
    await once(first, 'open');
    expect((await failure(open(server))).code).to.equal('WS_ERR_CONNECTION_FAILED');
    expect(server.sessions).to.have.lengthOf(2);
    first.abort();
    await first.closed;
  });

  it('that is giving up the session: the next connection is made on another', async () => {
    await using server = await listenHttp2((_request, response) => {
      response.webSocket?.pipe(response.webSocket.connect());
    });
    const first = connect(server.webSocketUrl, { http2: true, family: 4 });
    await once(first, 'open');
    const [session] = server.sessions as [ServerHttp2Session];
    session.goaway();
    // What comes behind the GOAWAY shows that it has come.
    first.write('still served');
    await once(first, 'data');
    const second = connect(server.webSocketUrl, { http2: true, family: 4 });
    await once(second, 'open');
    expect(server.sessions).to.have.lengthOf(2);
    first.end();
    second.end();
    expect([(await first.closed).wasClean, (await second.closed).wasClean]).to.deep.equal([true, true]);
  });

  describe('that answers', () => {
    it('with an ordinary response: the error has it, and no more than 64 KiB of its body', async () => {
      await using server = await answering((stream) => {
        stream.respond({ ':status': 401, 'x-reason': 'unknown' });
        const more = () => {
          while (!stream.destroyed && stream.write(Buffer.alloc(16 * 1024, 'x')));
        };
        stream.on('drain', more);
        more();
      });
      const { code, statusCode, headers, body } = await failure(open(server));
      expect([code, statusCode, headers?.['x-reason'], body?.length]).to.deep.equal([
        'WS_ERR_HANDSHAKE_REFUSED',
        401,
        'unknown',
        64 * 1024,
      ]);
    });

    for (const [what, headers, complaint] of [
      [
        'a subprotocol that was not offered',
        { 'sec-websocket-protocol': 'other' },
        /subprotocol other was not offered/,
      ],
      ['an extension that was not offered', { 'sec-websocket-extensions': 'x-own' }, /x-own/],
      [
        'window bits that nobody has',
        { 'sec-websocket-extensions': 'permessage-deflate; server_max_window_bits=99' },
        /permessage-deflate/,
      ],
    ] as const) {
      it(`with ${what}: an error, and the stream is reset`, async () => {
        let resetWith = Promise.resolve([] as unknown[]);
        await using server = await answering((stream) => {
          resetWith = once(stream, 'close').then(() => [stream.rstCode]);
          stream.respond({ ':status': 200, ...headers });
        });
        const { code, message } = await failure(open(server));
        expect(code).to.equal('WS_ERR_INVALID_HANDSHAKE');
        expect(message).to.match(complaint);
        expect(await resetWith).to.deep.equal([constants.NGHTTP2_CANCEL]);
      });
    }

    it('with a 200 and nothing more: a connection that is lost at once', async () => {
      await using server = await answering((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
      expect((await failure(open(server))).code).to.equal('WS_ERR_CONNECTION_LOST');
    });

    it('and masks its frames', async () => {
      await using server = await answering((stream) => {
        stream.respond({ ':status': 200 });
        stream.write(Buffer.from('818537fa213d7f9f4d5158', 'hex')); // the text "Hello", masked
      });
      const ws = open(server);
      ws.resume();
      expect((await failure(ws)).code).to.equal('WS_ERR_MASK_FORBIDDEN');
    });
  });

  for (const [stage, prepare] of [
    ['while the session is made', async () => await tcp((socket) => socket.resume())],
    ['while the answer is awaited', async () => await answering(() => {})],
  ] as const) {
    it(`can be given up ${stage}`, async () => {
      await using server = await prepare();
      const abort = new AbortController();
      const ws = open(server, { signal: abort.signal });
      while (server.sockets.size === 0) await new Promise(setImmediate);
      const [socket] = [...server.sockets] as [Socket];
      const gone = once(socket, 'close');
      abort.abort();
      expect((await failure(ws)).code).to.equal('WS_ERR_ABORTED');
      // Nobody else uses the session: its connection goes, too.
      await gone;
    });
  }

  it('leaves nothing behind that keeps a process alive', async () => {
    await using server = await listenHttp2((_request, response) => {
      response.webSocket?.pipe(response.webSocket.connect());
    });
    const program = `
      const { connect } = require(${JSON.stringify(join(__dirname, '../lib/webSocketHandler.ts'))});
      const ws = connect(${JSON.stringify(server.webSocketUrl)}, { http2: true, family: 4 });
      ws.end('done');
      ws.on('data', console.log);
    `;
    const child = spawn(process.execPath, ['--require', 'ts-node/register', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    const [exitCode] = await once(child, 'close');
    expect([exitCode, output]).to.deep.equal([0, 'done\n']);
  });
});
