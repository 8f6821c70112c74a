import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { connect, type WebSocket } from '../lib/webSocketHandler';
import { createCertificate } from './support/certificate';
import { failureOf } from './support/failure';
import { listenHttp2 } from './support/http2';
import {
  errorCodes,
  flags,
  goawayFrame,
  headersFrame,
  type RawHttp2,
  rawHttp2Server,
  resetFrame,
  settingsFrame,
  types,
} from './support/http2Frames';
import { freePort } from './support/program';

/** Clients over HTTP/2 that give up, or are given up, at one stage of a handshake or another. */

const accepted = (stream: number) => headersFrame(stream, [[':status', '200']]);

const willing = settingsFrame({ enableConnectProtocol: 1 });

/** How far a server goes. */
const stages: readonly (readonly [what: string, open: boolean, speak: (peer: RawHttp2) => unknown])[] = [
  ['says nothing', false, () => {}],
  ['has sent its settings, and says nothing more', false, (peer) => peer.write(willing)],
  [
    'has begun to refuse',
    false,
    async (peer) => {
      peer.write(willing);
      await peer.frame(types.headers, 1);
      peer.write(headersFrame(1, [[':status', '404']]));
    },
  ],
  [
    'has accepted',
    true,
    async (peer) => {
      peer.write(willing);
      await peer.frame(types.headers, 1);
      peer.write(accepted(1));
    },
  ],
];

/** Waits until the client has said all that it says to this server at this stage. */
async function reached(peer: RawHttp2, stage: string): Promise<void> {
  await peer.frame(types.settings, 0);
  if (stage !== 'says nothing') await peer.frame(types.headers, 1);
}

describe('A client over HTTP/2', () => {
  for (const [what, isOpen, speak] of stages) {
    it(`whose server ${what} can be destroyed`, async () => {
      const arrivals = new EventEmitter();
      await using server = await rawHttp2Server((peer) => {
        arrivals.emit('peer', peer);
        return speak(peer);
      });
      const arrived = once(arrivals, 'peer');
      const controller = new AbortController();
      const ws = connect(server.url, { http2: true, signal: controller.signal, closeTimeout: 100 });
      const failed = failureOf(ws);
      if (isOpen) await once(ws, 'open');
      const [peer] = (await arrived) as [RawHttp2];
      await reached(peer, what);
      controller.abort();
      expect((await failed).code).to.equal('WS_ERR_ABORTED');
      await peer.end();
    });

    if (isOpen) continue;
    it(`whose server ${what} fails after handshakeTimeout`, async () => {
      await using server = await rawHttp2Server((peer) => speak(peer));
      const { code, statusCode } = await failureOf(connect(server.url, { http2: true, handshakeTimeout: 100 }));
      expect(code).to.equal(statusCode === 404 ? 'WS_ERR_HANDSHAKE_REFUSED' : 'WS_ERR_HANDSHAKE_TIMEOUT');
      await server.peers[0]?.end();
    });
  }

  it('whose server does not listen fails at once', async () => {
    const { code, cause } = await failureOf(connect(`ws://127.0.0.1:${await freePort()}`, { http2: true }));
    expect(code).to.equal('WS_ERR_CONNECTION_FAILED');
    expect(cause).to.include({ code: 'ECONNREFUSED' });
  });

  it('whose server has an untrusted certificate fails, as over HTTP/1.1', async () => {
    const server = createSecureServer(createCertificate(), () => expect.fail('not to be asked')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `wss://localhost:${(server.address() as AddressInfo).port}`;
    for (const http2 of [true, false]) {
      const { code, cause } = await failureOf(connect(url, { http2, family: 4 }));
      expect(code).to.equal('WS_ERR_CONNECTION_FAILED');
      expect(cause).to.include({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    }
    server.close();
    await once(server, 'close');
  });

  it('whose server refuses a stream on a session that has served sends its request once more on another session', async () => {
    await using server = await rawHttp2Server(async (peer, index) => {
      peer.write(willing);
      await peer.frame(types.headers, 1);
      peer.write(index === 0 ? accepted(1) : resetFrame(1, errorCodes.refused));
      await peer.frame(types.headers, 3);
      peer.write(resetFrame(3, errorCodes.refused));
    });
    const first = connect(server.url, { http2: true, closeTimeout: 100 }).on('error', () => {});
    await once(first, 'open');
    const { code, cause } = await failureOf(connect(server.url, { http2: true }));
    expect(code).to.equal('WS_ERR_CONNECTION_FAILED');
    expect(cause).to.include({ message: 'Stream closed with error code NGHTTP2_REFUSED_STREAM' });
    expect(server.peers).to.have.lengthOf(2);
    first.abort();
    await first.whenClosed();
  });

  it('whose server refuses a stream on a session that has served can be accepted on another session', async () => {
    await using server = await rawHttp2Server(async (peer, index) => {
      peer.write(willing);
      await peer.frame(types.headers, 1);
      peer.write(accepted(1));
      if (index > 0) return;
      await peer.frame(types.headers, 3);
      peer.write(goawayFrame(1), resetFrame(3, errorCodes.refused));
    });
    const all = [];
    for (let i = 0; i < 2; i++) {
      const ws = connect(server.url, { http2: true }).on('error', () => {});
      await once(ws, 'open');
      all.push(ws);
    }
    expect(server.peers).to.have.lengthOf(2);
    for (const ws of all) ws.abort();
    for (const peer of server.peers) await peer.end();
  });

  it('whose server allows one stream for each session uses a session for each WebSocket', async () => {
    await using server = await listenHttp2(
      (_, { webSocket }) => webSocket?.pipe(webSocket.connect()),
      {},
      { settings: { maxConcurrentStreams: 1 } },
    );
    const echo = async (index: number) => {
      const ws: WebSocket = connect(server.webSocketUrl, { http2: true, family: 4 });
      ws.write(`${index}`);
      expect((await once(ws, 'data'))[0]).to.equal(`${index}`);
      return ws;
    };
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => echo(i)));
    expect(server.sessions).to.have.lengthOf(10);
    for (const ws of all) ws.end();
    for (const ws of all) expect((await ws.whenClosed()).wasClean).to.equal(true);
    for (const session of server.sessions) if (!session.destroyed) await once(session, 'close');
  });

  it('whose server sends GOAWAY keeps its WebSockets and opens new ones on another session', async () => {
    await using server = await listenHttp2((_, { webSocket }) => webSocket?.pipe(webSocket.connect()));
    const old = connect(server.webSocketUrl, { http2: true, family: 4 });
    await once(old, 'open');
    server.sessions[0]?.goaway();
    // What was sent before it comes before it.
    old.write('still here');
    expect((await once(old, 'data'))[0]).to.equal('still here');
    const fresh = connect(server.webSocketUrl, { http2: true, family: 4 });
    fresh.write('new');
    expect((await once(fresh, 'data'))[0]).to.equal('new');
    expect(server.sessions).to.have.lengthOf(2);
    for (const ws of [old, fresh]) ws.end();
    for (const ws of [old, fresh]) expect((await ws.whenClosed()).wasClean).to.equal(true);
  });
});

describe('A program with a client over HTTP/2 exits by itself', function () {
  this.timeout(60_000);

  async function output(url: string, what: string): Promise<string> {
    const file = join(__dirname, 'support', 'leaveHttp2.ts');
    const child = spawn(process.execPath, ['-r', 'ts-node/register', file, url, what], { cwd: join(__dirname, '..') });
    const [said, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(complaints).to.equal('');
    return said;
  }

  it('after a WebSocket that has ended', async () => {
    await using server = await listenHttp2((_, { webSocket }) => webSocket?.connect().resume());
    expect(await output(server.webSocketUrl.replace('localhost', '127.0.0.1'), 'end')).to.equal('closed\n');
  });

  it('even if its server never ends the connection, at every stage', async () => {
    const answeredWithEnd = async (peer: RawHttp2) => {
      peer.write(willing);
      await peer.frame(types.headers, 1);
      peer.write(headersFrame(1, [[':status', '200']], flags.endHeaders | flags.endStream));
    };
    const servers = [...stages.map(([, , speak]) => speak), answeredWithEnd];
    const outputs = servers.map(async (speak) => {
      await using server = await rawHttp2Server((peer) => speak(peer), { allowHalfOpen: true });
      return await output(server.url, 'abort');
    });
    for (const said of await Promise.all(outputs)) expect(said).to.match(/closed\n$/);
  });
});
