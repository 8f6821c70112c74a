import { once } from 'node:events';
import * as http2 from 'node:http2';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { type Duplex, Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import type { Role, Transport, Version } from '../../lib/contracts';
import type { WebSocketError } from '../../lib/errors';
import type { ConnectionOptions } from '../../lib/options';
import { transportOn } from '../../lib/transports/http2Streams';
import type { WebSocket } from '../../lib/websocket/webSocket';
import { createCertificate } from '../support/certificate';
import { FakeByteStream } from '../support/fakeByteStream';
import { openWebSocket } from '../support/openWebSocket';
import { rawFrame } from '../support/rawPeer';
import { VirtualTime } from '../support/virtualTime';

/** Two ends of a connection, and a function that closes what is left of it. */
interface Link extends AsyncDisposable {
  readonly transport: Transport;
  readonly peer: Duplex;
}

async function link(server: Server, connectTo: (port: number) => Duplex, event: string, role: Role): Promise<Link> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(server, event) as Promise<[Socket]>;
  const client = connectTo((server.address() as AddressInfo).port);
  const [stream] = await accepted;
  const [ours, peer] = role === 'server' ? [stream, client] : [client, stream];
  peer.on('error', () => {});
  return {
    transport: { stream: ours, head: Buffer.alloc(0) },
    peer,
    async [Symbol.asyncDispose]() {
      ours.destroy();
      peer.destroy();
      await once(server.close(), 'close');
    },
  };
}

const links: Record<string, (role: Role) => Promise<Link>> = {
  TCP: (role) => {
    const server = createTcpServer({ allowHalfOpen: true });
    return link(server, (port) => connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true }), 'connection', role);
  },
  TLS: (role) => {
    const { key, cert } = createCertificate();
    const server = createTlsServer({ key, cert, allowHalfOpen: true });
    const connectTo = (port: number) => {
      // The half-open state of a TLSSocket is that of its socket.
      const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
      return connectTls({ socket, rejectUnauthorized: false });
    };
    return link(server, connectTo, 'secureConnection', role);
  },
  'HTTP/2': async (role) => {
    const server = http2.createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    session.on('error', () => {});
    const client = session.request({ ':method': 'POST' }, { endStream: false });
    const [stream] = (await once(server, 'stream')) as [http2.ServerHttp2Stream];
    stream.respond({ ':status': 200 });
    await once(client, 'response');
    const [ours, peer] = role === 'server' ? [stream, client] : [client, stream];
    peer.on('error', () => {});
    return {
      transport: transportOn(ours),
      peer,
      async [Symbol.asyncDispose]() {
        const closed = once(server, 'close');
        session.destroy();
        server.close();
        await closed;
      },
    };
  },
};

const other = (role: Role): Role => (role === 'server' ? 'client' : 'server');

const closeFrame = (role: Role) => rawFrame(0x88, Buffer.of(1000 >> 8, 1000 & 255), role);

/** Cuts the connection off, as a crash of the peer does. */
function cut(peer: Duplex): void {
  // A system resets a connection that is closed while received bytes are unread.
  if ('close' in peer) (peer as http2.Http2Stream).close(http2.constants.NGHTTP2_CANCEL);
  else peer.destroy();
}

/** Notes what a WebSocket reports: 'end', 'finish', the code of an error, and 'close'. */
function reportsOf(ws: WebSocket): string[] {
  const reports: string[] = [];
  for (const event of ['end', 'finish', 'close'] as const) ws.on(event, () => reports.push(event));
  ws.on('error', (error) => reports.push((error as WebSocketError).code));
  return reports;
}

/** Waits for 'close', also if 'error' is emitted before. */
async function closeOf(stream: Duplex): Promise<void> {
  while (!stream.closed || !stream.destroyed) await turn();
}

/** More than the buffers of an operating system take. */
const huge = Buffer.alloc(16 * 1024 * 1024);

const options = {
  heartbeat: false,
  allowHalfOpen: true,
  maxBufferedAmount: 2 * huge.length,
} as const satisfies ConnectionOptions;

type Send = (ws: WebSocket, stream: Duplex, done?: (error?: Error | null) => void) => unknown;

const sends: readonly (readonly [size: string, send: Send])[] = [
  ['large', (ws, _stream, done) => ws.write(huge, done)],
  [
    'small',
    (ws, stream, done) => {
      // Stands for earlier messages.
      stream.write(huge);
      ws.write('small', done);
    },
  ],
];

const cases = Object.keys(links).flatMap((name) =>
  (['server', 'client'] as const).map((role) => ({ name, role, open: links[name] as (role: Role) => Promise<Link> })),
);

const losses = cases.flatMap((one) =>
  sends.flatMap(([size, send]) =>
    (['before', 'after'] as const).flatMap((when) =>
      [true, false].map((withCallback) => ({ ...one, size, send, when, withCallback })),
    ),
  ),
);

/** A WebSocket on a byte stream of which the spec decides when bytes leave. */
function onFake({
  version = '13' as Version,
  stream = new FakeByteStream(),
  ...more
}: {
  readonly version?: Version;
  readonly stream?: FakeByteStream;
  readonly options?: ConnectionOptions;
} = {}) {
  const settings = { heartbeat: false, ...more.options } as const;
  const ws = openWebSocket('server', { stream, head: Buffer.alloc(0) }, { options: settings, version });
  return { ws, stream, reports: reportsOf(ws) };
}

const text = (payload: string) => rawFrame(0x81, Buffer.from(payload), 'client');

/** A chain that gives a message back, and ends, when it is told to. */
class SlowChain extends Transform {
  giveBack = () => {};
  endNow = () => {};
  constructor() {
    super({
      objectMode: true,
      transform: (message, _encoding, done) => {
        this.giveBack = () => done(null, message);
      },
      flush: (done) => {
        this.endNow = done;
      },
    });
  }
}

const failures = (reports: readonly string[]) => reports.filter((report) => report.startsWith('WS_ERR'));

/** A WebSocket whose slow chain holds a message, and whose peer has closed. */
async function onSlowChain() {
  const { ws, stream, reports } = onFake();
  const chain = new SlowChain();
  ws.pipe(chain).pipe(ws);
  stream.push(Buffer.concat([text('a'), closeFrame('client')]));
  stream.push(null);
  await once(stream, 'end');
  await turn();
  return { ws, stream, reports, chain };
}

describe('A WebSocket whose peer has closed, and whose own Close frame is not sent yet', () => {
  for (const { name, role, open, size, send, when, withCallback } of losses)
    it(`fails with WS_ERR_CONNECTION_LOST if a ${size} message was lost, written ${when} the Close frame of the peer ${withCallback ? 'with' : 'without'} a callback, ${role} over ${name}`, async () => {
      await using connection = await open(role);
      const { transport, peer } = connection;
      const ws = openWebSocket(role, transport, { options });
      const reports = reportsOf(ws);
      const codes: unknown[] = [];
      const note = (error?: Error | null) => void codes.push((error as WebSocketError | undefined)?.code);
      const write = () => send(ws, transport.stream, withCallback ? note : undefined);
      ws.resume();
      if (when === 'before') write();
      await turn();
      peer.end(closeFrame(other(role)));
      await once(ws, 'end');
      if (when === 'after') write();
      await turn();
      expect(ws.writableLength).to.equal(0);
      cut(peer);
      await closeOf(ws);
      expect(reports).to.deep.equal(['end', 'WS_ERR_CONNECTION_LOST', 'close']);
      expect(codes).to.deep.equal(withCallback ? ['WS_ERR_NOT_OPEN'] : []);
    });

  for (const { name, role, open } of cases)
    it(`does not fail if everything had reached the operating system, ${role} over ${name}`, async () => {
      await using connection = await open(role);
      const { transport, peer } = connection;
      const ws = openWebSocket(role, transport, { options });
      const reports = reportsOf(ws);
      ws.resume();
      const peerCloses = async () => {
        peer.end(closeFrame(other(role)));
        await once(ws, 'end');
      };
      // Node's HTTP/2 server resets a stream after its own end, so it has to read everything before.
      const readsFirst = name === 'HTTP/2' && role === 'client';
      ws.write(huge);
      await turn();
      if (!readsFirst) await peerCloses();
      peer.resume();
      await new Promise<unknown>((resolve) => ws.write('last', resolve));
      if (readsFirst) await peerCloses();
      cut(peer);
      const { stream } = transport;
      // A socket that has nothing to read or write does not notice the reset.
      if (name !== 'HTTP/2') stream.destroy();
      await closeOf(stream);
      ws.end();
      await closeOf(ws);
      expect(reports).to.deep.equal(['end', 'finish', 'close']);
      expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: false });
    });

  for (const isSent of [false, true]) {
    const [fails, not] = isSent ? ['does not fail', ''] : ['fails', 'not '];
    const expected = isSent ? [] : ['WS_ERR_CONNECTION_LOST'];
    const leave = async (stream: FakeByteStream) => {
      if (isSent) for (let i = 0; i < 3; i++) await stream.letLeave();
    };

    it(`${fails} if the connection is lost while a slow chain holds nothing, and its last message was ${not}sent`, async () => {
      const { ws, stream, reports, chain } = await onSlowChain();
      chain.giveBack();
      await turn();
      expect([stream.written, ws.writableLength]).to.deep.equal(['810161', 0]);
      await leave(stream);
      stream.destroy();
      await closeOf(stream);
      chain.endNow();
      await closeOf(ws);
      expect(failures(reports)).to.deep.equal(expected);
    });

    for (const whenEnded of [false, true])
      it(`${fails} in a version without Close frames if the connection is lost ${whenEnded ? 'after' : 'before'} end(), and a message was ${not}sent`, async () => {
        const { ws, stream, reports } = onFake({ version: 'draft75', options: { allowHalfOpen: true } });
        ws.resume().write('a');
        await turn();
        stream.push(null);
        await once(ws, 'end');
        if (whenEnded) ws.end();
        await turn();
        await leave(stream);
        stream.destroy();
        await closeOf(stream);
        ws.end();
        await closeOf(ws);
        expect(failures(reports)).to.deep.equal(expected);
        expect((await ws.whenClosed()).wasClean).to.equal(isSent && whenEnded);
      });
  }

  it('fails if the connection is lost before the echo of ws.pipe(ws) was sent', async () => {
    const { ws, stream, reports } = onFake();
    ws.pipe(ws);
    stream.push(Buffer.concat([text('a'), closeFrame('client')]));
    stream.push(null);
    await once(stream, 'end');
    await turn();
    stream.destroy();
    await closeOf(ws);
    expect(failures(reports)).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  });

  for (const [what, fill] of [
    ['the byte stream', (ws: WebSocket) => void ws.write('a')],
    [
      'the write queue',
      (ws: WebSocket) => {
        ws.cork();
        ws.write('a');
      },
    ],
  ] as const)
    it(`fails at the end if messages in ${what} were lost before the Close frame was read`, async () => {
      const { ws, stream, reports } = onFake({ options: { highWaterMark: { messages: 1 } } });
      stream.push(Buffer.concat([text('b'), text('c'), closeFrame('client')]));
      await once(ws, 'readable');
      fill(ws);
      await turn();
      stream.push(null);
      // As a socket of Node does at the end of its bytes, also when it is paused.
      stream.read(0);
      await once(stream, 'end');
      stream.destroy();
      await once(stream, 'close');
      const received: unknown[] = [];
      ws.on('data', (message) => received.push(message));
      await closeOf(ws);
      expect(received).to.deep.equal(['b', 'c']);
      expect(reports).to.deep.equal(['end', 'finish', 'WS_ERR_CONNECTION_LOST', 'close']);
      expect(ws.errored?.message).to.include('before everything was sent');
    });

  it('fails if a message is written after the peer has reset an HTTP/2 stream, and before that closes', async () => {
    const stream = Object.assign(new FakeByteStream(), { aborted: false });
    const { ws, reports } = onFake({ stream, options: { allowHalfOpen: true } });
    ws.resume();
    stream.push(closeFrame('client'));
    stream.push(null);
    await once(ws, 'end');
    stream.emit('aborted');
    ws.write('late');
    await turn();
    stream.destroy();
    await closeOf(ws);
    expect(reports).to.deep.equal(['end', 'WS_ERR_CONNECTION_LOST', 'close']);
  });

  it('reports nothing after abort(): the program itself has given up its messages', async () => {
    const { ws, stream, reports } = onFake({ options: { allowHalfOpen: true } });
    ws.resume().write('a');
    await turn();
    stream.push(closeFrame('client'));
    stream.push(null);
    await once(ws, 'end');
    ws.abort();
    await closeOf(ws);
    expect(reports).to.deep.equal(['end', 'close']);
  });

  for (const [what, message, start] of [
    ['a message waits', 'before everything was sent', (ws: WebSocket) => void ws.resume().write('a')],
    [
      'a chain of streams has not ended',
      'before the program had ended',
      (ws: WebSocket) => void ws.pipe(new Transform({ objectMode: true, flush() {} })).pipe(ws),
    ],
  ] as const)
    it(`does not say that the peer was answered in time if the byte stream accepts no answer, and ${what}`, async () => {
      using time = new VirtualTime();
      time.start();
      const stream = Object.assign(new FakeByteStream(), { aborted: false });
      const { ws, reports } = onFake({ stream, options: { closeTimeout: 1000, allowHalfOpen: true } });
      start(ws);
      await turn();
      stream.push(closeFrame('client'));
      stream.push(null);
      await once(ws, 'end');
      stream.emit('aborted');
      await time.passUntil(closeOf(ws), 100);
      expect(reports.filter((report) => report !== 'finish')).to.deep.equal(['end', 'WS_ERR_CONNECTION_LOST', 'close']);
      expect(ws.errored?.message).to.include(message).and.not.include('answered');
    });
});

describe('A WebSocket whose connection is lost after the Close frame of the peer, and before its program has ended', () => {
  it('fails if a slow chain writes its last message after the connection was lost', async () => {
    const { ws, stream, reports, chain } = await onSlowChain();
    stream.destroy();
    await closeOf(stream);
    chain.giveBack();
    await turn();
    chain.endNow();
    await closeOf(ws);
    expect(failures(reports)).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  });

  for (const isDecodedLate of [false, true])
    for (const [what, start, expected] of [
      ['a chain never ends', (ws: WebSocket) => void ws.pipe(new SlowChain()).pipe(ws), ['WS_ERR_CONNECTION_LOST']],
      ['the program never calls end()', (ws: WebSocket) => void ws.resume(), []],
    ] as const)
      it(`ends within half of closeTimeout if the connection is lost ${isDecodedLate ? 'before' : 'after'} the Close frame is read, and ${what}`, async () => {
        using time = new VirtualTime();
        time.start();
        const { ws, stream, reports } = onFake({ options: { closeTimeout: 1000, allowHalfOpen: true } });
        if (!isDecodedLate) start(ws);
        stream.push(closeFrame('client'));
        stream.push(null);
        await once(stream, 'end');
        stream.destroy();
        await closeOf(stream);
        if (isDecodedLate) start(ws);
        await time.passUntil(closeOf(ws), 100);
        expect(time.now).to.be.at.most(600);
        expect(failures(reports)).to.deep.equal(expected);
      });
});
