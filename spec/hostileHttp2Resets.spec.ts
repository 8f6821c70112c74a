import { EventEmitter, once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { mock } from 'node:test';
import { expect } from 'chai';
import type { ServerOptions, WebSocket } from '../lib/webSocketHandler';
import { forgetsSessions } from './support/forgottenSessions';
import { retainedBytes } from './support/garbage';
import { clientFrame } from './support/http';
import { ask, type Http2TestServer, listenHttp2, openSession } from './support/http2';
import {
  dataFrame,
  errorCodes,
  flags,
  frame,
  goawayFrame,
  openingFrame,
  pingFrame,
  RawHttp2,
  resetFrame,
  settingsFrame,
  types,
} from './support/http2Frames';
import { ownHeartbeat, passUntil } from './support/mockedTime';
import { hex } from './support/vectors';

/** Clients over HTTP/2 that break off, one stream or all of the session, once or ten thousand times. */

const mebibyte = 1024 * 1024;

/** An echo; the WebSockets that it accepts are told of as 'accepted'. */
async function listenEcho(options: ServerOptions = {}): Promise<Http2TestServer & { accepted: EventEmitter }> {
  const accepted = new EventEmitter();
  const server = await listenHttp2((_, response) => {
    const ws = response.webSocket?.connect();
    if (ws === undefined) response.end('ordinary');
    else {
      ws.pipe(ws);
      accepted.emit('webSocket', ws);
    }
  }, options);
  return Object.assign(server, { accepted });
}

async function openOn(client: RawHttp2, { accepted }: { accepted: EventEmitter }, stream: number): Promise<WebSocket> {
  client.write(openingFrame(stream));
  const [ws] = (await once(accepted, 'webSocket')) as [WebSocket];
  await client.frame(types.headers, stream);
  return ws;
}

/** The server is as well as it was before. */
async function expectServing(url: string): Promise<void> {
  await using session = await openSession(url);
  expect(await ask(session, { ':path': '/' })).to.include({ body: 'ordinary' });
}

/** Waits until the sessions of clients that have gone are over. */
async function closing({ sessions }: Http2TestServer): Promise<void> {
  for (const session of sessions) if (!session.destroyed) await once(session, 'close');
  sessions.length = 0;
}

/** The end of a WebSocket whose peer has sent no Close frame. */
async function expectLost(ws: WebSocket, code = 'WS_ERR_CONNECTION_LOST'): Promise<void> {
  let ended = false;
  ws.once('end', () => {
    ended = true;
  });
  expect(await ws.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
  expect(ws.errored).to.include({ code, closeCode: 1006 });
  expect(ended).to.equal(false);
}

describe('A stream of HTTP/2', () => {
  for (const [name, code] of Object.entries(errorCodes)) {
    for (const [when, bytes] of [
      ['at once', ''],
      ['in the middle of a frame', '81 85 37fa213d 7f9f'],
      ['between two fragments', '01 83 37fa213d 7f9f4d'],
      ['after a message', '81 85 37fa213d 7f9f4d5158'],
    ] as const) {
      it(`that is reset ${when} (${name}) ends with WS_ERR_CONNECTION_LOST`, async () => {
        await using server = await listenEcho();
        using client = await RawHttp2.connect(server.url);
        const ws = await openOn(client, server, 1);
        client.write(dataFrame(1, hex(bytes)), resetFrame(1, code));
        await expectLost(ws);
        await client.roundTrip();
        expect(client.ended).to.equal(false);
        expect(server.handle.connections.size).to.equal(0);
      });
    }
  }

  it('that ends without a Close ends with WS_ERR_CONNECTION_LOST', async () => {
    await using server = await listenEcho();
    using client = await RawHttp2.connect(server.url);
    const ws = await openOn(client, server, 1);
    client.write(dataFrame(1, clientFrame(0x81, 'all'), flags.endStream));
    await expectLost(ws);
  });

  it('that is reset makes a pipeline fail after the received messages', async () => {
    await using server = await listenHttp2((_, response) => {
      const messages: unknown[] = [];
      const ws = response.webSocket?.connect() as WebSocket;
      const read = pipeline(ws, async (source) => {
        for await (const message of source) messages.push(message);
      });
      read.catch((error) => server.server.emit('failed', error, messages));
    });
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1), dataFrame(1, clientFrame(0x81, 'first')), dataFrame(1, clientFrame(0x81, 'second')));
    await client.roundTrip();
    client.write(resetFrame(1));
    const [error, messages] = await once(server.server, 'failed');
    expect(error).to.include({ code: 'WS_ERR_CONNECTION_LOST' });
    expect(messages).to.deep.equal(['first', 'second']);
  });

  for (const code of [errorCodes.none, errorCodes.cancel]) {
    for (const [how, flag] of [
      ['after its Close', flags.none],
      ['after its Close and the end of its side', flags.endStream],
    ] as const) {
      it(`that is reset (${code}) ${how}, before it has the answer, ends cleanly`, async () => {
        await using server = await listenEcho();
        using client = await RawHttp2.connect(server.url, { initialWindowSize: 0 });
        const ws = await openOn(client, server, 1);
        client.write(dataFrame(1, clientFrame(0x88, hex('03e8')), flag));
        await once(ws, 'finish');
        client.write(resetFrame(1, code));
        expect(await ws.whenClosed()).to.include({ code: 1000 });
        expect(ws.errored).to.equal(null);
      });
    }

    it(`that is reset (${code}) while the program does not read fails the writer`, async () => {
      await using server = await listenHttp2((_, response) => {
        server.server.emit('accepted', response.webSocket?.connect().pause());
      });
      using client = await RawHttp2.connect(server.url);
      const messages = Array.from({ length: 50 }, (_, i) => dataFrame(1, clientFrame(0x81, `message ${i}`)));
      client.write(openingFrame(1), ...messages, resetFrame(1, code));
      const [ws] = (await once(server.server, 'accepted')) as [WebSocket];
      await client.roundTrip();
      ws.write('still there?');
      const [error] = await once(ws.resume(), 'error');
      expect(error).to.include({ code: 'WS_ERR_CONNECTION_LOST' });
    });
  }
});

describe('A session of HTTP/2', () => {
  afterEach(() => mock.timers.reset());

  it('that accepts no more streams keeps its open streams', async () => {
    await using server = await listenEcho();
    using client = await RawHttp2.connect(server.url);
    const ws = await openOn(client, server, 1);
    client.write(goawayFrame(0));
    await client.roundTrip();
    client.write(dataFrame(1, clientFrame(0x81, 'still here')));
    await client.untilData(1, Buffer.from('still here').toString('hex'));
    client.write(dataFrame(1, clientFrame(0x88, hex('03e8'))));
    expect(await ws.whenClosed()).to.include({ code: 1000, wasClean: true });
  });

  for (const [what, act] of [
    ['goes away with an error', (client: RawHttp2) => client.write(goawayFrame(0, errorCodes.internalError))],
    ['loses its socket', ({ socket }: RawHttp2) => void socket.destroy()],
    ['has its socket reset', ({ socket }: RawHttp2) => void socket.resetAndDestroy()],
    ['ends its socket', ({ socket }: RawHttp2) => void socket.end()],
    ['goes on with another protocol', (client: RawHttp2) => client.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
    [
      'says again that it is HTTP/2',
      (client: RawHttp2) => client.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
    ],
    [
      'has a frame that is too large',
      (client: RawHttp2) => client.write(frame(types.data, 0, 1, Buffer.alloc(70_000))),
    ],
    ['has wrong settings', (client: RawHttp2) => client.write(frame(types.settings, 0, 0, Buffer.alloc(5)))],
    [
      'has a window that is too large',
      (client: RawHttp2) => client.write(settingsFrame({ initialWindowSize: 2 ** 31 })),
    ],
    ['opens a stream of the server', (client: RawHttp2) => client.write(openingFrame(2))],
  ] as const) {
    it(`that ${what} only ends the WebSockets of its client`, async () => {
      mock.timers.enable({ apis: ['setInterval'] });
      await using server = await listenEcho({ heartbeat: ownHeartbeat({ interval: 30_000, timeout: 10_000 }) });
      using client = await RawHttp2.connect(server.url);
      const all = [];
      for (const stream of [1, 3, 5]) all.push(await openOn(client, server, stream));
      act(client);
      await Promise.race([client.end(), client.frame(types.goaway, 0)]).catch(() => {});
      client.socket.destroy();
      await expectServing(server.url);
      const forgotten = forgetsSessions && server.handle.connections.size > 0;
      if (forgotten) await passUntil(Promise.all(all.map((ws) => ws.whenClosed())));
      for (const ws of all) await expectLost(ws, forgotten ? 'WS_ERR_HEARTBEAT_TIMEOUT' : undefined);
      expect(server.handle.connections.size).to.equal(0);
    });
  }

  for (const [what, flood] of [
    ['pings', pingFrame()],
    ['settings', settingsFrame({ maxConcurrentStreams: 1 })],
    ['empty DATA frames', dataFrame(1)],
    ['resets of streams that are gone', resetFrame(1)],
  ] as const) {
    it(`that is a flood of ${what} costs little memory, whether it survives or not`, async () => {
      await using server = await listenEcho();
      using client = await RawHttp2.connect(server.url);
      const ws = await openOn(client, server, 1);
      const before = await retainedBytes();
      client.socket.pause();
      const thousand = Buffer.concat(Array.from({ length: 1000 }, () => flood));
      for (let i = 0; i < 100 && !client.ended; i++) {
        client.write(thousand);
        await expectServing(server.url);
      }
      expect((await retainedBytes()) - before).to.be.below(4 * mebibyte);
      client.socket.destroy();
      await expectLost(ws);
      expect(server.handle.connections.size).to.equal(0);
    });
  }
});

describe('Ten thousand WebSockets over HTTP/2', function () {
  this.timeout(120_000);

  /** What a client does on a stream before it resets it, at once or when that has been dealt with. */
  const stages: readonly ((stream: number) => Buffer)[] = [
    () => Buffer.alloc(0),
    (stream) => dataFrame(stream, clientFrame(0x81, 'whole')),
    (stream) => dataFrame(stream, hex('82 ff 0000000000010000 37fa213d 61')),
    (stream) => dataFrame(stream, hex('01 83 37fa213d 7f9f4d')),
    (stream) => dataFrame(stream, clientFrame(0x88, '')),
  ];
  /** Node takes no more than a thousand resets from one session. */
  const perSession = 1000;

  /** Does so on fifty streams, from this one on. */
  async function openAndAbort(client: RawHttp2, first: number, patient: boolean): Promise<void> {
    const streams = Array.from({ length: 50 }, (_, i) => first + 2 * i);
    for (const stream of streams)
      client.write(openingFrame(stream), stages[(stream >> 1) % stages.length]?.(stream) as Buffer);
    if (patient) await client.roundTrip();
    for (const stream of streams)
      client.write(resetFrame(stream, stream % 3 === 0 ? errorCodes.none : errorCodes.cancel));
    await client.roundTrip();
  }

  async function oneSession(server: Http2TestServer): Promise<void> {
    using client = await RawHttp2.connect(server.url);
    for (let i = 0; i < perSession; i += 50) await openAndAbort(client, 2 * i + 1, i % 100 === 0);
    for (const ws of server.handle.connections) await ws.whenClosed();
    // The session is as good as new.
    const last = 2 * perSession + 1;
    client.write(openingFrame(last), dataFrame(last, clientFrame(0x81, 'well?')));
    await client.untilData(last, '81 05 77656c6c3f');
    await expectServing(server.url);
  }

  it('keep no memory when they are opened and aborted at any stage', async () => {
    await using server = await listenEcho();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const timersBefore = timers();
    // The first ones are for what Node itself keeps once it has met something.
    for (let session = 0; session < 2; session++) await oneSession(server);
    await closing(server);
    const before = await retainedBytes();
    for (let session = 2; session < 10; session++) await oneSession(server);
    await closing(server);
    expect(server.handle.counters.opened).to.be.above(5000);
    expect(server.handle.connections.size).to.equal(0);
    expect(timers()).to.be.at.most(timersBefore);
    // Each one that is kept would cost some kilobytes.
    expect((await retainedBytes()) - before).to.be.below(4 * mebibyte);
  });

  it('only end the session of their client when they are opened and aborted at once', async () => {
    await using server = await listenEcho();
    const before = await retainedBytes();
    for (let session = 0; session < 5; session++) {
      using client = await RawHttp2.connect(server.url);
      const pairs = Array.from({ length: 2 * perSession }, (_, i) => [openingFrame(2 * i + 1), resetFrame(2 * i + 1)]);
      client.write(...pairs.flat());
      await client.frame(types.goaway, 0);
      await expectServing(server.url);
    }
    expect(server.handle.connections.size).to.equal(0);
    for (const session of server.sessions.splice(0)) session.destroy();
    expect((await retainedBytes()) - before).to.be.below(4 * mebibyte);
  });
});
