import { once } from 'node:events';
import { mock } from 'node:test';
import { expect } from 'chai';
import { connect } from '../../lib/webSocketHandler';
import { type Http2Handler, listenHttp2, openSession } from '../support/http2';
import { headersFrame, openingFrame, RawHttp2, types } from '../support/http2Frames';
import { passUntil } from '../support/mockedTime';

const ordinary = headersFrame(
  3,
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/slow'],
    [':authority', 'a.example'],
  ],
  5,
);

/** Accepts WebSockets, and does not answer other requests. */
const handler: Http2Handler = (_request, response) => void response.webSocket?.connect().resume();

/** Opens a WebSocket, and then reads no more and says no more, as a client whose machine is off. */
async function vanishingClient(url: string, ...frames: Buffer[]): Promise<RawHttp2> {
  const client = await RawHttp2.connect(url);
  client.write(openingFrame(1), ...frames);
  await client.frame(types.headers, 1);
  await client.roundTrip();
  client.socket.pause();
  return client;
}

describe('An HTTP/2 server after handle.close()', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }));
  afterEach(() => mock.timers.reset());

  it('closes within three seconds if a client is lost', async () => {
    await using server = await listenHttp2(handler);
    using _client = await vanishingClient(server.url);
    const closed = once(server.server, 'close');
    server.server.close();
    await passUntil(server.handle.close({ timeout: 1000 }));
    expect(await passUntil(closed)).to.be.within(1000, 3000);
    mock.timers.reset();
  });

  it('closes if the client is lost while an ordinary request is not answered', async () => {
    await using server = await listenHttp2(handler);
    using _client = await vanishingClient(server.url, ordinary);
    const closed = once(server.server, 'close');
    server.server.close();
    await passUntil(server.handle.close({ timeout: 1000 }));
    expect(await passUntil(closed, 500)).to.be.within(10_000, 30_000);
    mock.timers.reset();
  });

  it('lets a client that answers pings wait for its response', async () => {
    await using server = await listenHttp2((request, response) => {
      if (response.webSocket !== undefined) response.webSocket.connect().resume();
      else server.server.emit('slow', request, response);
    });
    await using session = await openSession(server.url);
    const ws = connect(server.webSocketUrl, { http2: session }).resume();
    await once(ws, 'open');
    const asked = once(server.server, 'slow');
    const stream = session.request({ ':path': '/slow' });
    const [, response] = await asked;
    await passUntil(server.handle.close());
    await passUntil(new Promise((resolve) => setTimeout(resolve, 100_000)), 200);
    const answered = once(stream, 'response');
    response.end('at last');
    expect((await answered)[0][':status']).to.equal(200);
    stream.resume();
    mock.timers.reset();
    await once(session, 'close');
  });
});

describe('200 WebSockets on one HTTP/2 session', () => {
  it('cause no MaxListenersExceededWarning, neither on the server nor in the client', async () => {
    const warnings: Error[] = [];
    const collect = (warning: Error) => void (warning.name === 'MaxListenersExceededWarning' && warnings.push(warning));
    process.on('warning', collect);
    await using server = await listenHttp2((_request, response) => {
      response.stream.session?.setMaxListeners(2);
      response.webSocket?.pipe(response.webSocket.connect());
    });
    server.server.setMaxListeners(3);
    await using session = await openSession(server.url);
    for (const http2 of [true, session] as const) {
      const all = Array.from({ length: 200 }, () => connect(server.webSocketUrl, { http2, family: 4 }).resume());
      await Promise.all(all.map((ws) => once(ws, 'open')));
      for (const ws of all) ws.end();
      await Promise.all(all.map((ws) => ws.whenClosed()));
    }
    process.removeListener('warning', collect);
    expect(warnings.map(({ message }) => message)).to.deep.equal([]);
  });
});
