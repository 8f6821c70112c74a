import { once } from 'node:events';
import { Readable } from 'node:stream';
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
  headersFrame,
  openingFrame,
  RawHttp2,
  type settingsFrame,
  types,
  windowFrame,
} from './support/http2Frames';
import { ownHeartbeat, passUntil } from './support/mockedTime';
import { hex } from './support/vectors';

/** Clients that break or abuse the flow control of HTTP/2 (RFC 9113 §5.2), and what may stand in DATA frames. */

const mebibyte = 1024 * 1024;

interface Opened extends AsyncDisposable {
  readonly server: Http2TestServer;
  readonly client: RawHttp2;
  readonly ws: WebSocket;
  /** Opens another one on the same session. */
  open(stream: number): Promise<WebSocket>;
}

/** A WebSocket on stream 1 of a client that is not polite. */
async function openWebSocket(
  options: ServerOptions = {},
  values: Parameters<typeof settingsFrame>[0] = {},
): Promise<Opened> {
  const server = await listenHttp2((_, response) => {
    if (response.webSocket === undefined) response.end('ordinary');
    else server.server.emit('accepted', response.webSocket.connect());
  }, options);
  const client = await RawHttp2.connect(server.url, values);
  const open = async (stream: number) => {
    client.write(openingFrame(stream));
    const [ws] = (await once(server.server, 'accepted')) as [WebSocket];
    expect(await client.status(stream)).to.equal(200);
    return ws;
  };
  return {
    server,
    client,
    ws: await open(1),
    open,
    async [Symbol.asyncDispose]() {
      client.socket.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Writes until the stream says that it has enough, and returns what it has taken. */
function fill(ws: WebSocket): number {
  let bytes = 0;
  while (ws.write('a'.repeat(1000))) bytes += 1000;
  return bytes + 1000;
}

/** The session serves others: ordinary requests, and WebSockets. */
async function expectServing({ client, open }: Opened, stream: number): Promise<void> {
  const request = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'example.org'];
  const fields = request.flatMap((name, i) => (i % 2 === 0 ? [[name, request[i + 1] as string] as const] : []));
  client.write(headersFrame(stream, fields, flags.endHeaders | flags.endStream), windowFrame(stream, 100));
  await client.untilData(stream, Buffer.from('ordinary').toString('hex'));
  const ws = await open(stream + 2);
  ws.pipe(ws);
  client.write(windowFrame(stream + 2, 100), dataFrame(stream + 2, clientFrame(0x81, 'well?')));
  await client.untilData(stream + 2, '81 05 77656c6c3f');
}

/** The error code of what ends the stream, or all of the session. */
async function endOf(client: RawHttp2, stream: number): Promise<number | undefined> {
  const reset = () => client.frames.find((one) => one.type === types.resetStream && one.stream === stream);
  const goaway = () => client.frames.find(({ type }) => type === types.goaway);
  await client.until(() => reset() !== undefined || goaway() !== undefined);
  return reset()?.payload.readUInt32BE(0) ?? goaway()?.payload.readUInt32BE(4);
}

/** The Close frame that a stream ends with. */
async function closeCode(client: RawHttp2, stream: number): Promise<number> {
  await client.until(() => client.frames.some((one) => one.stream === stream && one.flags & flags.endStream));
  const data = client.data(stream);
  expect(data.subarray(0, 2).toString('hex')).to.equal('8802');
  return data.readUInt16BE(2);
}

describe('A client over HTTP/2', () => {
  afterEach(() => mock.timers.reset());

  it('that never opens its window makes write() return false and does not affect other WebSockets', async () => {
    await using opened = await openWebSocket({}, { initialWindowSize: 0 });
    const { ws } = opened;
    const before = await retainedBytes();
    const written = fill(ws);
    expect(written).to.be.below(mebibyte);
    expect(ws.bufferedAmount).to.be.within(written, written + 10_000);
    expect(ws.writableNeedDrain).to.equal(true);
    await expectServing(opened, 3);
    expect((await retainedBytes()) - before).to.be.below(mebibyte);
    expect(ws.bufferedAmount).to.be.within(written, written + 10_000);
  });

  it('that opens its window byte by byte receives byte after byte', async () => {
    await using opened = await openWebSocket({}, { initialWindowSize: 0 });
    const { client, ws } = opened;
    ws.write('tiny');
    for (let length = 1; length <= 6; length++) {
      client.write(windowFrame(1, 1));
      await client.until(() => client.data(1).length === length);
    }
    expect(client.data(1)).to.deep.equal(hex('81 04 74696e79'));
    expect(client.frames.filter(({ type }) => type === types.data)).to.have.lengthOf(6);
    await client.roundTrip();
    expect(ws.bufferedAmount).to.equal(0);
  });

  it('that opens its window later receives everything, and the writer goes on', async () => {
    await using opened = await openWebSocket({}, { initialWindowSize: 0 });
    const { client, ws } = opened;
    const written = fill(ws);
    const drained = once(ws, 'drain');
    client.write(windowFrame(1, mebibyte), windowFrame(0, mebibyte));
    await drained;
    await client.until(() => client.data(1).length === written + (written / 1000) * 4);
  });

  it('that does not read from its socket costs little memory, whatever its windows are', async () => {
    await using opened = await openWebSocket({}, { initialWindowSize: 0x7fffffff });
    const { client, server, ws } = opened;
    client.write(windowFrame(0, 0x7fffffff - 65_535));
    await client.roundTrip();
    client.socket.pause();
    const before = await retainedBytes();
    let written = 0;
    const endless = new Readable({
      objectMode: true,
      read() {
        written += 100_000;
        this.push('a'.repeat(100_000));
      },
    });
    endless.pipe(ws);
    await using others = await openSession(server.url);
    // The operating systems of both ends take some megabytes.
    for (let seen = 0; seen !== written; ) {
      seen = written;
      for (let i = 0; i < 20; i++) expect(await ask(others, { ':path': '/' })).to.include({ body: 'ordinary' });
    }
    expect(written).to.be.below(64 * mebibyte);
    expect((await retainedBytes()) - before).to.be.below(4 * mebibyte);
    endless.unpipe(ws);
    client.socket.resume();
  });

  it('that keeps its window closed is not reported as lost unless a ping could be sent', async () => {
    await using opened = await openWebSocket({ heartbeat: { interval: 20, timeout: 10 } }, { initialWindowSize: 0 });
    const { client, ws, open } = opened;
    fill(ws);
    for (const stream of [3, 5, 7]) {
      const silent = await open(stream);
      client.write(windowFrame(stream, 100));
      const [error] = await once(silent, 'error');
      expect(error).to.include({ code: 'WS_ERR_HEARTBEAT_TIMEOUT' });
      expect(await client.resetCode(stream)).to.equal(errorCodes.cancel);
    }
    expect(ws.destroyed).to.equal(false);
  });

  it('that keeps its window closed for our Close is reset after closeTimeout', async () => {
    await using opened = await openWebSocket({ closeTimeout: 20 }, { initialWindowSize: 0 });
    const { client, ws } = opened;
    fill(ws);
    ws.end();
    const [error] = await once(ws, 'error');
    expect(error).to.include({ code: 'WS_ERR_CLOSE_TIMEOUT' });
    expect(await client.resetCode(1)).to.equal(errorCodes.cancel);
    expect(await ws.whenClosed()).to.include({ code: 1006, wasClean: false });
    await expectServing(opened, 3);
  });

  it('that keeps its window closed for the answer to its Close is reset after closeTimeout', async () => {
    await using opened = await openWebSocket({ closeTimeout: 20 }, { initialWindowSize: 0 });
    const { client, ws } = opened;
    ws.resume();
    client.write(dataFrame(1, clientFrame(0x88, hex('03e8'))));
    expect(await client.resetCode(1)).to.equal(errorCodes.cancel);
    expect(await ws.whenClosed()).to.include({ code: 1000 });
    expect(opened.server.handle.connections.size).to.equal(0);
  });

  it('that keeps its window closed does not delay the shutdown of the server', async () => {
    await using opened = await openWebSocket({}, { initialWindowSize: 0 });
    fill(opened.ws);
    const { server, client } = opened;
    await server.handle.close({ timeout: 20 });
    expect(await client.resetCode(1)).to.equal(errorCodes.cancel);
    await client.frame(types.goaway, 0);
    expect(server.handle.connections.size).to.equal(0);
  });

  it('that sends more than our window allows costs no more memory than the window', async () => {
    await using opened = await openWebSocket();
    const { client, ws } = opened;
    ws.pause();
    const before = await retainedBytes();
    const message = clientFrame(0x82, Buffer.alloc(100));
    const messages = Buffer.concat(Array.from({ length: 150 }, () => message));
    for (let i = 0; i < 100; i++) client.write(dataFrame(1, messages));
    expect(await endOf(client, 1)).to.equal(errorCodes.flowControlError);
    expect((await retainedBytes()) - before).to.be.below(mebibyte);
    client.socket.destroy();
    // A paused reader keeps the unread messages, and a Close may be behind them.
    ws.resume();
    expect(await ws.whenClosed()).to.include({ code: 1006 });
  });

  for (const [what, stream, increment] of [
    ['too large', 1, 0x7fffffff],
    ['zero', 1, 0],
    ['too large for the session', 0, 0x7fffffff],
    ['zero for the session', 0, 0],
  ] as const) {
    it(`that opens a window by an amount that is ${what} loses the stream or the session (RFC 9113 §6.9)`, async () => {
      mock.timers.enable({ apis: ['setInterval'] });
      await using opened = await openWebSocket({ heartbeat: ownHeartbeat({ interval: 30_000, timeout: 10_000 }) });
      const { client, server, ws } = opened;
      client.write(windowFrame(stream, increment));
      expect(await endOf(client, stream)).to.not.equal(errorCodes.none);
      client.socket.destroy();
      await using session = await openSession(server.url);
      await ask(session, { ':path': '/' });
      const forgotten = forgetsSessions && server.handle.connections.size > 0;
      if (forgotten) await passUntil(ws.whenClosed());
      expect(await ws.whenClosed()).to.include({ code: 1006 });
      expect(ws.errored).to.include({ code: forgotten ? 'WS_ERR_HEARTBEAT_TIMEOUT' : 'WS_ERR_CONNECTION_LOST' });
    });
  }

  for (const [what, bytes, code] of [
    ['an unmasked frame', '81 01 61', 1002],
    ['a reserved opcode', '83 81 00000000 61', 1002],
    ['a reserved bit', 'c1 81 00000000 61', 1002],
    ['a fragment without a beginning', '80 81 00000000 61', 1002],
    ['text that is no UTF-8', '81 81 00000000 ff', 1007],
    ['half a close code', '88 81 00000000 03', 1002],
    ['a length of 2^63', '82 ff 8000000000000000', 1002],
    ['a message of more than maxMessageSize', '82 ff 0000000000200001', 1009],
    ['a request of HTTP/1.1', Buffer.from('GET / HTTP/1.1').toString('hex'), 1002],
  ] as const) {
    it(`that sends ${what} gets ${code}`, async () => {
      await using opened = await openWebSocket();
      const { client, ws } = opened;
      ws.resume();
      client.write(dataFrame(1, hex(bytes)));
      expect(await closeCode(client, 1)).to.equal(code);
      await expectServing(opened, 3);
    });
  }

  it('that divides its frames at any byte, with empty DATA between, is understood', async () => {
    await using opened = await openWebSocket();
    const { client, ws } = opened;
    ws.pipe(ws);
    const frames = Buffer.concat([clientFrame(0x01, 'Hé'), clientFrame(0x89, '?'), clientFrame(0x80, 'llo')]);
    for (let at = 0; at <= frames.length; at++) {
      client.write(dataFrame(1, frames.subarray(0, at)), dataFrame(1), dataFrame(1, frames.subarray(at)));
    }
    for (const byte of frames) client.write(dataFrame(1, Buffer.of(byte)));
    const echoed = hex('8a 01 3f 81 06 48c3a96c6c6f');
    await client.until(() => client.data(1).length === (frames.length + 2) * echoed.length);
    expect(client.data(1)).to.deep.equal(Buffer.concat(Array.from({ length: frames.length + 2 }, () => echoed)));
  });
});
