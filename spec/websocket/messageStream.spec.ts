import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { ReadableStream } from 'node:stream/web';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import type { MessagePart } from '../../lib/contracts';
import { overhead } from '../../lib/framing/cost';
import { knownVersions } from '../../lib/versions';
import {
  type AnyWebSocket,
  type BinaryData,
  connect,
  createPair,
  type Message,
  MessageStream,
  type WebSocket,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { retainedBytes } from '../support/garbage';
import { listen } from '../support/http';
import { RawPeer, rawFrame } from '../support/rawPeer';

const mebibyte = 1024 * 1024;

/** The streams of a WebSocket whose messages are streams. */
const streamsOf = (ws: AnyWebSocket) => ws as WebSocket<MessageStream>;

/** The kind of a message stream, and all that is in it. */
async function read(stream: MessageStream): Promise<Message> {
  return stream.binary ? buffer(stream) : text(stream);
}

async function failure(promise: Promise<unknown>): Promise<WebSocketError> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error) => error,
  );
}

describe('A message that is written as a stream', () => {
  const sources: readonly (readonly [what: string, source: () => unknown, message: Message])[] = [
    [
      'a Readable of bytes',
      () => Readable.from([Buffer.from('ab'), Buffer.from('cd')], { objectMode: false }),
      Buffer.from('abcd'),
    ],
    ['a Readable of strings', () => Readable.from(['Grüße, ', '', 'Welt']), 'Grüße, Welt'],
    [
      'a Readable with an encoding',
      () => Readable.from([Buffer.from('ü')], { objectMode: false, encoding: 'utf8' }),
      'ü',
    ],
    ['a PassThrough that is filled later', () => later(), Buffer.from('later')],
    [
      'a generator',
      () =>
        (async function* () {
          yield 'one ';
          yield 'two';
        })(),
      'one two',
    ],
    ['a web stream', () => ReadableStream.from([new Uint8Array([1, 2]), new Uint8Array([3])]), Buffer.of(1, 2, 3)],
    [
      'typed arrays and DataViews',
      () => Readable.from([new Uint16Array([0x0101]), new DataView(new ArrayBuffer(1))]),
      Buffer.of(1, 1, 0),
    ],
    ['characters that are cut in two', () => Readable.from(['\ud83d', '\udc4b', '\ud83d', '\udc4b!']), '👋👋!'],
    ['half a character at the end', () => Readable.from(['a\ud83d']), 'a\ufffd'],
    ['nothing', () => Readable.from([]), Buffer.alloc(0)],
    ['an empty string', () => Readable.from(['']), ''],
    ['an empty text that says so', () => Object.assign(Readable.from([]), { binary: false }), ''],
  ];

  function later(): PassThrough {
    const stream = new PassThrough();
    setImmediate(() => stream.end('later'));
    return stream;
  }

  for (const [what, source, message] of sources) {
    it(`is one message: ${what}`, async () => {
      const [server, client] = createPair();
      client.write('before');
      client.write(source() as Readable);
      client.end('after');
      expect(await server.toArray()).to.deep.equal(['before', message, 'after']);
    });
  }

  it('is sent in fragments, one for each piece, with pings between them', async () => {
    const peer = new RawPeer('server');
    const source = new PassThrough();
    const ws = peer.webSocket;
    ws.write(source);
    source.write('one');
    await peer.until(() => peer.frames.length === 1);
    void ws.ping('still there?');
    await peer.until(() => peer.frames.length === 2);
    peer.send(0x89, 'and you?');
    await peer.until(() => peer.frames.length === 3);
    source.end('two');
    await peer.until(() => peer.frames.length === 5);
    ws.abort();
    const frames = peer.frames.map(({ first, payload }) => [first.toString(16), payload.toString()]);
    expect(frames).to.deep.equal([
      ['2', 'one'],
      ['89', 'still there?'],
      ['8a', 'and you?'],
      ['0', 'two'],
      ['80', ''],
    ]);
  });

  it('is not read faster than the peer reads', async () => {
    const peer = new RawPeer('server', { reads: false });
    let produced = 0;
    async function* source() {
      for (;;) {
        produced++;
        yield Buffer.alloc(16 * 1024);
      }
    }
    peer.webSocket.on('error', () => {}).write(source());
    for (let i = 0; i < 200; i++) await turn();
    expect(produced).to.be.below(20);
    peer.webSocket.abort();
  });

  it('calls the callback when it was sent, and later messages wait for it', async () => {
    const [server, client] = createPair();
    const source = new PassThrough();
    const order: string[] = [];
    client.write(source, () => order.push('stream'));
    client.write('behind', () => order.push('behind'));
    source.write('a');
    for (let i = 0; i < 10; i++) await turn();
    expect(order).to.deep.equal([]);
    source.end();
    client.end();
    expect(await server.toArray()).to.deep.equal([Buffer.from('a'), 'behind']);
    expect(order).to.deep.equal(['stream', 'behind']);
  });

  it('fails the connection with 1011 when its source fails, and does not end the process', async () => {
    const [server, client] = createPair();
    async function* source() {
      yield 'half of ';
      throw new Error('the disk is broken');
    }
    const told = failure(new Promise((resolve, reject) => server.write(source(), (e) => (e ? reject(e) : resolve(e)))));
    const [seen] = await once(client, 'error').catch((error) => [error]);
    const error = await told;
    expect([error.code, (error.cause as Error).message]).to.deep.equal(['WS_ERR_SOURCE_FAILED', 'the disk is broken']);
    expect([seen.code, seen.closeCode]).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', 1011]);
    await server.whenClosed();
  });

  it('fails the connection also when its source has failed or was destroyed while it waited in the write queue', async () => {
    for (const fail of [
      (source: Readable) => source.destroy(new Error('early')),
      (source: Readable) => source.destroy(),
    ]) {
      const [server, client] = createPair();
      const first = new PassThrough();
      const second = new PassThrough();
      server.write(first);
      server.write(second);
      fail(second);
      await turn();
      const closed = once(client, 'error').catch((error) => [error]);
      first.end('whole');
      const messages: Message[] = [];
      client.on('data', (message) => messages.push(message));
      expect((await closed)[0].closeCode).to.equal(1011);
      expect(messages).to.deep.equal([Buffer.from('whole')]);
    }
  });

  it('accepts pieces of one type only', async () => {
    for (const pieces of [['a', Buffer.from('b')], [Buffer.from('a'), 'b'], [5], [{}]]) {
      const [server, client] = createPair();
      client.on('error', () => {});
      const source = Readable.from(pieces);
      const error = await failure(new Promise((_resolve, reject) => server.write(source, reject)));
      expect([error.code, error.message.includes('piece')]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
      expect(source.destroyed).to.equal(true);
    }
  });

  it('destroys its source, and the sources after it, when the connection ends', async () => {
    const [server, client] = createPair();
    client.on('error', () => {});
    const sources = [new PassThrough(), new PassThrough()];
    let cancelled = false;
    const cancel = () => {
      cancelled = true;
    };
    const web = new ReadableStream<BinaryData>({ cancel: () => cancel() });
    for (const source of sources) server.write(source);
    server.write(web);
    await turn();
    client.abort();
    await server.whenClosed();
    for (let i = 0; i < 10; i++) await turn();
    expect(sources.map(({ destroyed }) => destroyed)).to.deep.equal([true, true]);
    expect(cancelled).to.equal(true);
  });

  it('waits until the connection is open, as every message', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
    });
    const ws = connect(`ws://127.0.0.1:${server.port}/`);
    ws.end(Readable.from(['a', 'b']));
    expect(await ws.toArray()).to.deep.equal(['ab']);
  });
});

describe('A message that is read as a stream', () => {
  const open = (options = {}) => createPair({ messages: 'stream', ...options });

  it('is a Readable with the property binary, also if it is small or empty', async () => {
    const [server, client] = open();
    const sent = ['text', Buffer.from('bytes'), '', Buffer.alloc(0), 'ü'.repeat(100_000), randomBytes(mebibyte)];
    for (const message of sent) client.write(message);
    client.end();
    const received: Message[] = [];
    for await (const stream of streamsOf(server)) {
      expect(stream).to.be.instanceOf(MessageStream);
      received.push(await read(stream));
    }
    expect(received).to.deep.equal(sent);
  });

  it('is delivered before its end is received', async () => {
    const peer = new RawPeer('server', { messages: 'stream' });
    peer.send(0x01, 'Hel');
    const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
    const pieces: string[] = [];
    stream.on('data', (piece) => pieces.push(piece));
    while (pieces.length === 0) await turn();
    peer.send(0x89, 'ping');
    await peer.until(() => peer.frames.length === 1);
    expect(pieces).to.deep.equal(['Hel']);
    peer.send(0x80, 'lo');
    await once(stream, 'end');
    expect(pieces).to.deep.equal(['Hel', 'lo']);
    peer.webSocket.abort();
  });

  it("passes { binary } to 'message' listeners", async () => {
    const [server, client] = open();
    const seen: unknown[] = [];
    server.on('message', (message, { binary }) => {
      seen.push(binary, message instanceof MessageStream);
      message.resume();
    });
    client.write('text');
    client.end(Buffer.from('bytes'));
    await server.whenClosed();
    expect(seen).to.deep.equal([false, true, true, true]);
  });

  for (const version of knownVersions) {
    it(`is echoed by ws.pipe(ws) in version ${version}, with a socket's worth of memory where there are fragments`, async () => {
      const [server, client] = open({ version });
      server.pipe(server);
      const large = 'Grüße 👋 '.repeat(30_000);
      client.write(Readable.from([large, large]));
      client.write('small');
      const received: Message[] = [];
      for await (const stream of streamsOf(client)) {
        received.push(await read(stream));
        if (received.length === 2) client.end();
      }
      expect(received).to.deep.equal([large + large, 'small']);
      expect((await server.whenClosed()).wasClean).to.equal(true);
    });
  }

  it('holds back the next message until it is read', async () => {
    const [server, client] = open();
    const streams: MessageStream[] = [];
    server.on('data', (stream) => streams.push(stream));
    let produced = 0;
    async function* source() {
      for (; produced < 64; produced++) yield Buffer.alloc(16 * 1024);
    }
    client.write(source());
    client.write('behind');
    for (let i = 0; i < 100; i++) await turn();
    // What is kept is bounded, and the source learns it.
    expect([streams.length, produced < 24]).to.deep.equal([1, true]);
    expect((await buffer(streams[0] as MessageStream)).length).to.equal(mebibyte);
    while (streams.length < 2) await turn();
    expect(await text(streams[1] as MessageStream)).to.equal('behind');
    client.end();
    await server.whenClosed();
  });

  for (const [how, skip] of [
    ['resume()', (stream: MessageStream) => void stream.resume()],
    ['destroy()', (stream: MessageStream) => void stream.destroy()],
  ] as const) {
    it(`is skipped by ${how}, from the start or in the middle`, async () => {
      const [server, client] = open();
      for (let i = 0; i < 4; i++) client.write(Buffer.alloc(mebibyte, i));
      client.end('last');
      const kept: Message[] = [];
      let count = 0;
      for await (const stream of streamsOf(server)) {
        if (count === 1) await once(stream, 'readable');
        if (count++ < 3) skip(stream);
        else kept.push(await read(stream));
      }
      expect([count, kept]).to.deep.equal([5, [Buffer.alloc(mebibyte, 3), 'last']]);
    });
  }

  for (const [where, skip] of [
    ["inside of the listener for 'message'", (stream: MessageStream) => void stream.destroy()],
    [
      "inside of its own listener for 'data'",
      (stream: MessageStream) => void stream.on('data', () => stream.destroy()),
    ],
    [
      "inside of its own listener for 'readable'",
      (stream: MessageStream) => void stream.on('readable', () => stream.destroy()),
    ],
  ] as const) {
    it(`is skipped by destroy() ${where}, message after message`, async () => {
      const [server, client] = open();
      let count = 0;
      server.on('message', (stream) => {
        count++;
        skip(stream);
      });
      for (let i = 0; i < 6; i++) client.write(Buffer.alloc(300_000, i));
      client.end();
      expect(await server.whenClosed()).to.include({ code: 1000, wasClean: true });
      expect(count).to.equal(6);
    });
  }

  it('fails when the connection fails, after its received pieces were read', async () => {
    for (const [end, code] of [
      [(peer: RawPeer) => peer.stream.destroy(), 'WS_ERR_CONNECTION_LOST'],
      [(peer: RawPeer) => peer.send(0x81, 'inside'), 'WS_ERR_INVALID_FRAGMENT'],
      [(peer: RawPeer) => peer.send(0x88, Buffer.of(0x03, 0xf3)), 'WS_ERR_CLOSED_BY_PEER'],
    ] as const) {
      const peer = new RawPeer('server', { messages: 'stream' });
      peer.webSocket.on('error', () => {});
      peer.send(0x01, 'Hel');
      const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
      await once(stream, 'readable');
      end(peer);
      for (let i = 0; i < 10; i++) await turn();
      const pieces: unknown[] = [];
      const error = await failure(stream.forEach((piece) => void pieces.push(piece)));
      expect([pieces, error.code]).to.deep.equal([['Hel'], code]);
    }
  });

  it("does not end the process when it fails without an 'error' listener", async () => {
    const peer = new RawPeer('server', { messages: 'stream' });
    peer.send(0x01, 'Hel');
    await once(peer.webSocket, 'data');
    peer.stream.destroy();
    expect((await peer.webSocket.whenClosed()).wasClean).to.equal(false);
    for (let i = 0; i < 10; i++) await turn();
  });

  it('fails when the WebSocket is destroyed', async () => {
    for (const leave of [(ws: WebSocket) => ws.destroy(), (ws: WebSocket) => ws.abort()]) {
      const peer = new RawPeer('server', { messages: 'stream' });
      peer.send(0x02, Buffer.from('Hel'));
      const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
      stream.resume();
      await turn();
      leave(peer.webSocket);
      const [error] = await once(stream, 'error').catch((cause) => [cause]);
      expect(error.code).to.equal('WS_ERR_ABORTED');
    }
  });

  it('is checked to be UTF-8 while it is received', async () => {
    const peer = new RawPeer('server', { messages: 'stream' });
    peer.webSocket.on('error', () => {});
    peer.send(0x01, Buffer.from([0x61, 0xf0, 0x9f]));
    const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
    peer.send(0x00, Buffer.from([0x91, 0x8b, 0xff]));
    const error = await failure(text(stream));
    expect(error.code).to.equal('WS_ERR_INVALID_UTF8');
    expect((await peer.ended()).at(-1)?.payload.readUInt16BE(0)).to.equal(1007);
  });

  it('takes little more memory than its bytes, if they are received one by one and not read', async () => {
    const peer = new RawPeer('server', { messages: 'stream' });
    peer.send(0x02, 'x');
    const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
    const before = await retainedBytes();
    for (let i = 0; i < 200; i++)
      peer.write(Buffer.concat(Array(500).fill(rawFrame(0x00, Buffer.from('y'), 'client'))));
    peer.send(0x80, 'z');
    for (let i = 0; i < 20; i++) await turn();
    expect(stream.readableLength).to.be.below(1000);
    // The bytes that wait on the way are the test's own.
    expect((await retainedBytes()) - before).to.be.below(1_500_000);
    expect((await buffer(stream)).toString()).to.equal(`x${'y'.repeat(100_000)}z`);
    peer.webSocket.abort();
  });

  it('has no size limit by default', async () => {
    const [server, client] = open();
    server.pipe(server);
    client.write(Readable.from(Array.from({ length: 80 }, () => Buffer.alloc(64 * 1024))));
    for await (const stream of streamsOf(client)) {
      expect((await buffer(stream)).length).to.equal(5 * mebibyte);
      client.end();
    }
    const [limited, sender] = open({ maxMessageSize: 1000 });
    sender.on('error', () => {}).write(Readable.from(['x'.repeat(600), 'y'.repeat(600)]));
    const [error] = await Promise.all([
      once(limited, 'error').catch((cause) => [cause]),
      failure(limited.forEach((stream: unknown) => void (stream as MessageStream).resume())),
    ]);
    expect(error[0].code).to.equal('WS_ERR_MESSAGE_TOO_BIG');
  });

  describe('compressed', () => {
    const deflate = { extensions: 'permessage-deflate', perMessageDeflate: true, messages: 'stream' } as const;
    const compress = (message: string | Buffer, finishFlush: number = constants.Z_SYNC_FLUSH) =>
      deflateRawSync(message, { finishFlush });

    it('is received in any fragments, and with context takeover between messages of all types', async () => {
      const [server, client] = createPair({ perMessageDeflate: true, messages: 'stream' });
      const document = (i: number) => JSON.stringify({ i, text: 'much the same '.repeat(20 + i) });
      const sent = [document(1), document(2), document(3).repeat(2000), document(4), document(5)];
      for (const message of sent) client.write(message);
      client.end();
      const received: Message[] = [];
      for await (const stream of streamsOf(server)) received.push(await read(stream));
      expect(received).to.deep.equal(sent);
    });

    for (const size of [1, 7, 1000, 100_000]) {
      it(`is received in fragments of ${size} bytes`, async () => {
        const peer = new RawPeer('server', deflate);
        const message = Array.from({ length: 5000 }, (_, i) => `line ${i}: Grüße 👋\n`).join('');
        const bytes = compress(message).subarray(0, -4);
        for (let at = 0; at < bytes.length; at += size) {
          const last = at + size >= bytes.length;
          peer.send((at === 0 ? 0x41 : 0) | (last ? 0x80 : 0), bytes.subarray(at, at + size));
        }
        const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
        expect(await text(stream)).to.equal(message);
        // The next message refers to this one.
        peer.webSocket.abort();
      });
    }

    it('may end with a final block, and have several of them', async () => {
      const peer = new RawPeer('server', deflate);
      const final = (message: string) => compress(message, constants.Z_FINISH);
      peer.send(0xc1, Buffer.concat([final('one '), final('two'), Buffer.of(0)]));
      peer.send(0x41, final('three '));
      peer.send(0x80, Buffer.concat([final('four'), Buffer.of(0)]));
      peer.send(0xc1, compress('five').subarray(0, -4));
      const received: string[] = [];
      for await (const stream of streamsOf(peer.webSocket)) {
        received.push(await text(stream));
        if (received.length === 3) break;
      }
      expect(received).to.deep.equal(['one two', 'three four', 'five']);
    });

    it('takes little memory if it decompresses to very many bytes, and is refused at the limit', async () => {
      const zeros = compress(Buffer.alloc(64 * mebibyte)).subarray(0, -4);
      const slow = new RawPeer('server', deflate);
      slow.send(0xc2, zeros);
      const [stream] = (await once(slow.webSocket, 'data')) as [MessageStream];
      for (let i = 0; i < 50; i++) await turn();
      expect(stream.readableLength).to.be.within(1, 3 * mebibyte);
      let size = 0;
      for await (const bytes of stream) size += bytes.length;
      expect(size).to.equal(64 * mebibyte);
      slow.webSocket.abort();

      const limited = new RawPeer('server', { ...deflate, maxMessageSize: mebibyte });
      limited.webSocket.on('error', () => {});
      limited.send(0xc2, zeros);
      const [bomb] = (await once(limited.webSocket, 'data')) as [MessageStream];
      expect((await failure(buffer(bomb))).code).to.equal('WS_ERR_MESSAGE_TOO_BIG');
    });

    it('fails if it is corrupt, or not UTF-8', async () => {
      for (const [first, payload, code] of [
        [0xc2, Buffer.of(0xff, 0xff, 0xff), 'WS_ERR_INVALID_COMPRESSION'],
        [0xc1, compress(Buffer.of(0x61, 0xff)).subarray(0, -4), 'WS_ERR_INVALID_UTF8'],
        [0xc1, compress(Buffer.of(0x61, 0xf0)).subarray(0, -4), 'WS_ERR_INVALID_UTF8'],
      ] as const) {
        const peer = new RawPeer('server', deflate);
        peer.webSocket.on('error', () => {});
        peer.send(first, payload);
        const [stream] = (await once(peer.webSocket, 'data')) as [MessageStream];
        expect((await failure(buffer(stream))).code).to.equal(code);
      }
    });
  });
});

describe('MessageStream', () => {
  const highWaterMark = 64 * 1024;
  const error = new Error('lost');
  /** How often the stream has asked for more. */
  let asked: number;

  const make = (binary = true) => {
    asked = 0;
    return new MessageStream(binary, () => asked++);
  };
  const part = (payload: string, last = false): MessagePart => ({
    opcode: 'part',
    text: false,
    compressed: false,
    first: false,
    last,
    payload: Buffer.from(payload),
  });

  describe('receive()', () => {
    it('returns false at the high water mark, which counts each piece with its overhead', () => {
      expect(make().receive(part('x'.repeat(highWaterMark - overhead - 1)))).to.equal(true);
      expect(make().receive(part('x'.repeat(highWaterMark - overhead)))).to.equal(false);
      const stream = make();
      const room = Math.floor(highWaterMark / (1 + overhead));
      for (let i = 0; i < room; i++) expect(stream.receive(part('x'))).to.equal(true);
      expect(stream.receive(part('x'))).to.equal(false);
    });

    it('returns true for the last part, and for parts without bytes', () => {
      expect(make().receive(part('x'.repeat(highWaterMark), true))).to.equal(true);
      const stream = make();
      stream.receive(part('x'));
      for (let i = 0; i < 1000; i++) expect(stream.receive(part(''))).to.equal(true);
    });

    it('does not count pieces that have been read', () => {
      const stream = make();
      for (let i = 0; i < 10; i++) {
        for (let j = 0; j < 400; j++) expect(stream.receive(part('x'))).to.equal(true);
        stream.read(400);
      }
    });

    it('returns true and keeps nothing if the stream is destroyed', async () => {
      const stream = make();
      stream.destroy();
      expect([stream.receive(part('x'.repeat(highWaterMark))), stream.readableLength]).to.deep.equal([true, 0]);
    });
  });

  it('asks for more once, after the reader has got the bytes that make room', async () => {
    const stream = make();
    for (let i = 0; i < 600; i++) stream.receive(part('x'));
    stream.read(1);
    await turn();
    expect(asked).to.equal(0);
    expect([stream.read(599)?.length, asked]).to.deep.equal([599, 0]);
    await turn();
    expect(asked).to.equal(1);
    stream.read();
    await turn();
    expect([asked, stream.destroyed]).to.deep.equal([1, false]);
  });

  it('asks for more at once if it has room', () => {
    const stream = make();
    stream.read();
    expect(asked).to.equal(1);
  });

  it('gives strings of a text message, and Buffers of a binary one', () => {
    for (const [binary, message] of [
      [false, 'text'],
      [true, Buffer.from('bytes')],
    ] as const) {
      const stream = make(binary);
      stream.receive(part(message.toString()));
      expect([stream.read(), stream.binary]).to.deep.equal([message, binary]);
    }
  });

  it('fail(): destroys the stream with the error, at once or when all received bytes have been read', async () => {
    const empty = make();
    empty.fail(error);
    expect(empty.errored).to.equal(error);
    const stream = make();
    stream.receive(part('ab'));
    stream.fail(error);
    stream.read(1);
    await turn();
    expect(stream.destroyed).to.equal(false);
    stream.read(1);
    expect(stream.destroyed).to.equal(false);
    await turn();
    expect(stream.errored).to.equal(error);
  });

  it('destroy(): asks for the rest of the message, to skip it, and leaves the pipe', () => {
    const stream = make();
    const destination = new PassThrough();
    let source: unknown;
    destination.on('unpipe', (left) => {
      source = left;
    });
    stream.pipe(destination);
    stream.destroy();
    expect([asked, source]).to.deep.equal([1, stream]);
  });

  it('of(): is a stream of the whole message, which has ended', async () => {
    for (const message of ['text', 'ü', '', Buffer.from('bytes'), Buffer.of()])
      expect(await read(MessageStream.of(message))).to.deep.equal(message);
  });
});

describe('A file as one message', () => {
  it('is received unchanged, also if the reader pauses', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'message-'));
    const path = join(folder, 'file');
    const bytes = randomBytes(8 * mebibyte);
    writeFileSync(path, bytes);
    const [server, client] = createPair({ messages: 'stream' });
    server.pipe(server);
    client.write(createReadStream(path));
    const hash = createHash('sha256');
    for await (const stream of streamsOf(client)) {
      for await (const piece of stream) {
        hash.update(piece);
        await turn();
      }
      client.end();
    }
    expect(hash.digest('hex')).to.equal(createHash('sha256').update(bytes).digest('hex'));
    rmSync(folder, { recursive: true });
  });
});
