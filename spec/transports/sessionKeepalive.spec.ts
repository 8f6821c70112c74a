import { once } from 'node:events';
import { mock } from 'node:test';
import { expect } from 'chai';
import { connect, type ServerOptions, type WebSocket } from '../../lib/webSocketHandler';
import { clientFrame } from '../support/http';
import { listenHttp2 } from '../support/http2';
import {
  dataFrame,
  flags,
  headersFrame,
  openingFrame,
  RawHttp2,
  rawHttp2Server,
  settingsFrame,
  types,
} from '../support/http2Frames';
import { ownHeartbeat, passUntil } from '../support/mockedTime';
import { hex } from '../support/vectors';

let heartbeat = ownHeartbeat({ interval: 100, timeout: 100 });

/** A server, and a client whose streams have no window: what is written to them waits, and excuses the silence of the stream. */
async function openStalled(options: ServerOptions = {}) {
  const server = await listenHttp2((request, response) => {
    if (response.webSocket === undefined) response.end('ordinary');
    else server.server.emit('accepted', response.webSocket.connect(request.url === '/impatient' ? { heartbeat } : {}));
  }, options);
  const client = await RawHttp2.connect(server.url, { initialWindowSize: 0 });
  return {
    server,
    client,
    async open(stream: number, path = '/'): Promise<WebSocket> {
      client.write(openingFrame(stream, { ':path': path }));
      const [ws] = (await once(server.server, 'accepted')) as [WebSocket];
      ws.on('error', () => {}).write('there is no window for it');
      return ws;
    },
    pings: () => client.frames.filter((frame) => frame.type === types.ping && frame.flags === flags.none).length,
    async untilPings(count: number): Promise<void> {
      await client.until(() => this.pings() >= count);
    },
    async [Symbol.asyncDispose]() {
      client.socket.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('The keepalive of an HTTP/2 session', () => {
  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval'] });
    heartbeat = ownHeartbeat({ interval: 100, timeout: 100 });
  });
  afterEach(() => mock.timers.reset());

  it('ends all WebSockets of a client that does not answer, also those whose streams are stalled', async () => {
    await using opened = await openStalled({ heartbeat });
    const { client, server } = opened;
    client.acknowledges = false;
    const all = [await opened.open(1), await opened.open(3)];
    // However impatient they are, an answer has ten seconds.
    expect(await passUntil(Promise.all(all.map((ws) => ws.whenClosed())))).to.be.within(10_000, 11_000);
    for (const ws of all) {
      expect(await ws.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
      expect(ws.errored).to.include({ code: 'WS_ERR_HEARTBEAT_TIMEOUT' });
    }
    await client.end();
    expect(server.handle.connections.size).to.equal(0);
    expect(server.sessions.map(({ destroyed }) => destroyed)).to.deep.equal([true]);
  });

  it('keeps a client that answers while its streams are stalled', async () => {
    await using opened = await openStalled({ heartbeat });
    const ws = await opened.open(1);
    await passUntil(opened.untilPings(300));
    expect(ws.destroyed).to.equal(false);
  });

  it('is shared by all WebSockets, has the shortest of their settings and ends with the last one', async () => {
    await using opened = await openStalled({ heartbeat: ownHeartbeat({ interval: 60_000, timeout: 60_000 }) });
    const { client, server } = opened;
    await opened.open(1);
    const impatient = await opened.open(3, '/impatient');
    await opened.open(5, '/impatient');
    await opened.open(7, '/impatient');
    // One for each of the three would take a third of that.
    expect(await passUntil(opened.untilPings(12))).to.be.above(12 * 0.6 * heartbeat.interval);
    for (const ws of server.handle.connections) ws.abort();
    expect(await impatient.whenClosed()).to.include({ code: 1006 });
    await client.roundTrip();
    const before = opened.pings();
    client.write(
      headersFrame(
        9,
        [
          [':method', 'GET'],
          [':scheme', 'http'],
          [':path', '/'],
          [':authority', 'a.example'],
        ],
        5,
      ),
    );
    await client.frame(types.headers, 9);
    mock.timers.tick(1000);
    await client.roundTrip();
    expect(opened.pings()).to.equal(before);
  });

  it('does not run without the option heartbeat', async () => {
    await using opened = await openStalled({ heartbeat: false });
    const { client } = opened;
    client.acknowledges = false;
    const ws = await opened.open(1);
    mock.timers.tick(60_000);
    await client.roundTrip();
    expect([opened.pings(), ws.destroyed]).to.deep.equal([0, false]);
  });

  it('runs on the sessions of clients too', async () => {
    await using server = await rawHttp2Server(async (peer) => {
      peer.write(settingsFrame({ enableConnectProtocol: 1, initialWindowSize: 0 }));
      await peer.frame(types.headers, 1);
      peer.acknowledges = false;
      peer.write(headersFrame(1, [[':status', '200']]), dataFrame(1, hex('81 02 6869')));
    });
    const ws = connect(server.url, { http2: true, heartbeat });
    const [message] = await once(ws, 'data');
    ws.write('there is no window for it');
    const failed = once(ws, 'error');
    await passUntil(failed);
    const [error] = await failed;
    expect([message, error.code]).to.deep.equal(['hi', 'WS_ERR_HEARTBEAT_TIMEOUT']);
    for (const peer of server.peers) await peer.end();
  });

  it('accepts bytes on any stream as an answer', async () => {
    await using opened = await openStalled({ heartbeat });
    const { client } = opened;
    client.acknowledges = false;
    const stalled = await opened.open(1);
    const talking = await opened.open(3);
    for (let i = 0; i < 40; i++) {
      client.write(dataFrame(3, clientFrame(0x81, `message ${i}`)));
      await once(talking.resume(), 'message');
      mock.timers.tick(heartbeat.interval / 2);
    }
    expect([opened.pings(), stalled.destroyed]).to.deep.equal([0, false]);
  });
});
