import { EventEmitter, once } from 'node:events';
import { Duplex, finished, PassThrough, Readable, Transform, Writable } from 'node:stream';
import { pipeline, finished as whenFinished } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { connect, createPair, type Message, type WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { clientFrame, listen, RawClient } from '../support/http';
import { RawPeer } from '../support/rawPeer';

async function collect(stream: AsyncIterable<Message>): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<WebSocketError> {
  return promise.then(
    () => expect.fail('it did not reject'),
    (error: WebSocketError) => error,
  );
}

/** Messages of every kind: text and binary, empty, beyond ASCII, and long enough for each length of frame headers. */
const messages: Message[] = [
  'hello',
  Buffer.from('hello'),
  '',
  Buffer.alloc(0),
  'grüße, 世界 🌍',
  'x'.repeat(126),
  Buffer.alloc(65536, 1),
  'ü'.repeat(100_000),
  Buffer.alloc(1024 * 1024, 2),
];

const upperCase = () =>
  new Transform({
    objectMode: true,
    transform: (message: Message, _encoding, done) => done(null, message.toString().toUpperCase()),
  });

describe('A WebSocket as a stream', () => {
  it('adds no listeners of its own when readers are added and removed after the connection has ended', async () => {
    const peer = new RawPeer('server');
    peer.webSocket.on('error', () => {});
    for (let i = 0; i < 14; i++) peer.send(0x81, 'message');
    for (let i = 0; i < 5; i++) await turn();
    peer.stream.destroy();
    for (let i = 0; i < 5; i++) await turn();
    const listeners = peer.webSocket.listenerCount('close');
    for (let i = 0; i < 14; i++) await once(peer.webSocket, 'message');
    expect(peer.webSocket.listenerCount('close')).to.be.at.most(listeners + 1);
  });

  it('has no close code and no reason, and is not closed cleanly, as long as it is open', async () => {
    const [server, client] = createPair();
    expect([server.closeCode, server.closeReason, server.wasClean]).to.deep.equal([undefined, '', false]);
    client.resume().close(1000, 'done');
    server.resume();
    await server.whenClosed();
    expect([server.closeCode, server.closeReason, server.wasClean]).to.deep.equal([1000, 'done', true]);
  });

  it('end(): fails its callback with a WebSocketError if it has ended before', async () => {
    const [server, client] = createPair();
    client.resume();
    server.resume().end();
    await once(server, 'finish');
    const error = await new Promise<unknown>((resolve) => server.end(resolve));
    expect(error).to.be.instanceOf(WebSocketError).with.property('code', 'WS_ERR_NOT_OPEN');
    expect(error).to.have.nested.property('cause.code', 'ERR_STREAM_ALREADY_FINISHED');
    await client.whenClosed();
  });

  it('has the properties of a stream: its marks, the messages in its write queue, and whether it needs a drain', () => {
    const [ws, peer] = createPair({ readableHighWaterMark: { messages: 3 }, writableHighWaterMark: { messages: 2 } });
    expect([ws.readableHighWaterMark, ws.writableHighWaterMark]).to.deep.equal([3, 2]);
    ws.cork();
    expect([ws.write('a'), ws.writableLength, ws.bufferedAmount, ws.writableNeedDrain]).to.deep.equal([
      true,
      1,
      1,
      false,
    ]);
    expect([ws.write('b'), ws.writableLength, ws.bufferedAmount, ws.writableNeedDrain]).to.deep.equal([
      false,
      2,
      2,
      true,
    ]);
    ws.end();
    expect(ws.writableNeedDrain).to.equal(false);
    peer.cork();
    for (const message of ['a', 'b']) peer.write(message);
    expect(peer.writableNeedDrain).to.equal(true);
    for (const end of [ws, peer]) end.abort();
    expect([peer.writableNeedDrain, peer.destroyed]).to.deep.equal([false, true]);
  });

  it('uncork(): sends the messages when it has been called as often as cork()', async () => {
    const [ws, peer] = createPair();
    ws.cork();
    ws.cork();
    ws.write('a');
    ws.uncork();
    expect(ws.writableLength).to.equal(1);
    ws.uncork();
    expect(ws.writableLength).to.equal(0);
    expect((await once(peer, 'message'))[0]).to.equal('a');
    for (const end of [ws, peer]) end.abort();
  });

  it('write(), end() and the other methods call the callback, whatever parameters are before it', async () => {
    for (const send of [
      (ws, done) => ws.write('a', done),
      (ws, done) => ws.write('a', 'utf8', done),
      (ws, done) => ws.write('a', undefined, done),
      (ws, done) => ws.sendTextMessage('a', done),
      (ws, done) => ws.sendTextMessage('a', { compress: false }, done),
      (ws, done) => ws.sendBinaryMessage('a', done),
      (ws, done) => ws.sendBinaryMessage('a', { compress: false }, done),
      (ws, done) => ws.end('a', done),
      (ws, done) => ws.end('a', 'utf8', done),
    ] as ((ws: WebSocket, done: (error?: Error | null) => void) => unknown)[]) {
      const [ws, peer] = createPair();
      const error = await new Promise((resolve) => send(ws, resolve));
      expect(error ?? undefined).to.equal(undefined);
      expect(String((await once(peer, 'message'))[0])).to.equal('a');
      for (const end of [ws, peer]) end.abort();
    }
  });

  it('end(): sends no message for null, undefined, or a callback alone', async () => {
    for (const end of [
      (ws) => ws.end(null),
      (ws) => ws.end(undefined),
      (ws) => new Promise<void>((resolve) => ws.end(() => resolve())),
    ] as ((ws: { end(...parameters: unknown[]): unknown }) => unknown)[]) {
      const [ws, peer] = createPair();
      ws.resume();
      await end(ws);
      expect(await collect(peer)).to.deep.equal([]);
      expect(await ws.whenClosed()).to.include({ wasClean: true });
    }
  });

  it('close(): does nothing after the end of the writable side', async () => {
    const [ws, peer] = createPair();
    ws.resume().end();
    ws.close(4000, 'too late');
    peer.resume();
    expect(await peer.whenClosed()).to.include({ code: 1000, reason: '' });
  });

  it('close(): drops the messages that were received if the program has never read', async () => {
    const [ws, peer] = createPair();
    peer.resume().write('unread');
    for (let i = 0; i < 5; i++) await turn();
    expect(ws.readableLength).to.equal(1);
    ws.close();
    expect(await ws.whenClosed()).to.include({ code: 1000, wasClean: true });
    expect(ws.readableLength).to.equal(0);
  });

  it('echoes through ws.pipe(ws), with types, empty messages and order', async () => {
    const [server, client] = createPair();
    server.pipe(server);
    for (const message of messages) client.write(message);
    client.end();
    expect(await collect(client)).to.deep.equal(messages);
    expect(await client.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    expect(await server.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
  });

  it('works with ws.pipe(transform).pipe(ws), and sends the last output of the transform', async () => {
    const [server, client] = createPair();
    const count = new Transform({
      objectMode: true,
      transform: (message, _encoding, done) => done(null, message),
      flush: (done) => setTimeout(() => done(null, 'that was all'), 5),
    });
    server.pipe(count).pipe(upperCase()).pipe(server);
    client.end('one');
    expect(await collect(client)).to.deep.equal(['ONE', 'THAT WAS ALL']);
    expect((await server.whenClosed()).wasClean).to.equal(true);
  });

  it('works with pipeline() and a generator in between that yields a message after the end', async () => {
    const [server, client] = createPair();
    const serving = pipeline(
      server,
      async function* (source: AsyncIterable<Message>) {
        let count = 0;
        for await (const message of source) {
          count++;
          yield `${message}!`;
        }
        yield `${count} messages`;
      },
      server,
    );
    client.write('a');
    client.end('b');
    expect(await collect(client)).to.deep.equal(['a!', 'b!', '2 messages']);
    await serving;
  });

  it('is read by for await, and sends the messages of the loop after the loop has ended', async () => {
    const [server, client] = createPair();
    const serving = (async () => {
      for await (const message of server) for (let i = 0; i < 50; i++) server.write(`${message} ${i}`);
    })();
    client.write('a');
    client.end('b');
    const answers = await collect(client);
    expect(answers).to.have.length(100);
    expect(answers.at(-1)).to.equal('b 49');
    await serving;
  });

  it('sends in one write what a loop answers to the messages that were received together', async () => {
    const { webSocket, stream } = new RawPeer('server');
    const serving = (async () => {
      for await (const message of webSocket) webSocket.write(message);
    })();
    const chunks: Buffer[] = [];
    stream.on('data', (bytes: Buffer) => chunks.push(bytes));
    stream.write(Buffer.concat(Array.from({ length: 64 }, () => clientFrame(0x81, 'a'))));
    await turn();
    await turn();
    expect(chunks.map(({ length }) => length)).to.deep.equal([64 * 3]);
    webSocket.abort();
    await rejection(serving);
  });

  it('closes when a loop over it is left, as every stream does', async () => {
    const [server, client] = createPair();
    client.write('first');
    client.write('second');
    for await (const message of server) {
      expect(message).to.equal('first');
      break;
    }
    expect(server.destroyed).to.equal(true);
    client.resume();
    client.on('error', () => {});
    expect((await client.whenClosed()).code).to.equal(1011);
  });

  it('works with compose()', async () => {
    const [server, client] = createPair();
    const loud = client.compose(upperCase());
    server.end('quiet');
    expect(await (loud as unknown as Readable).toArray()).to.deep.equal(['QUIET']);
  });

  it('has the operators of a Readable', async () => {
    const [server, client] = createPair();
    server.write('1');
    server.write('2');
    server.end('3');
    const odd = client.map(Number).filter((number) => number % 2 === 1);
    expect(await odd.toArray()).to.deep.equal([1, 3]);
  });

  it('can be converted to a pair of web streams', async () => {
    const [server, client] = createPair();
    server.pipe(server);
    const { readable, writable } = Duplex.toWeb(client);
    const writer = writable.getWriter();
    const reader = readable.getReader();
    await writer.write('over the web');
    expect((await reader.read()).value).to.equal('over the web');
    await writer.close();
    expect((await reader.read()).done).to.equal(true);
  });

  it('sends each chunk of a piped byte stream as a binary message', async () => {
    const [server, client] = createPair();
    const bytes = new PassThrough();
    bytes.end(Buffer.from('from a file'));
    await pipeline(bytes, client);
    expect(await collect(server)).to.deep.equal([Buffer.from('from a file')]);
  });

  it('sends every kind of bytes as a binary message', async () => {
    const [server, client] = createPair();
    const bytes = Uint8Array.of(1, 2, 3, 4);
    client.write(bytes);
    client.write(bytes.buffer);
    client.write(new DataView(bytes.buffer, 1, 2));
    client.write(new Uint16Array(bytes.buffer));
    client.write(new Float32Array([1.5]));
    client.end();
    const received = (await collect(server)).map((message) => (message as Buffer).toString('hex'));
    expect(received).to.deep.equal(['01020304', '01020304', '0203', '01020304', '0000c03f']);
  });

  it('does not change the payloads that it sends, masked or not', async () => {
    const [server, client] = createPair();
    for (const size of [5, 5000, 100_000]) {
      const payload = Buffer.alloc(size, 'abc');
      client.write(payload);
      const [received] = await once(server, 'data');
      expect(received.equals(payload)).to.equal(true);
      expect(payload.equals(Buffer.alloc(size, 'abc'))).to.equal(true);
    }
    client.destroy();
    server.destroy();
  });

  it('is destroyed by a value that is no message, with an error that names the accepted types', async () => {
    const [server, client] = createPair();
    client.write(42 as unknown as string);
    const [error] = (await once(client, 'error')) as [WebSocketError];
    expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
    expect(error.message).to.match(/string, a Buffer.*not 42/);
    expect((await server.whenClosed()).code).to.equal(1011);
  });
});

describe('A WebSocket with event listeners', () => {
  it('echoes with listeners added before connect(), and passes { binary } with each message', async () => {
    const events: string[] = [];
    const { promise: closed, resolve } = resolvers();
    await using server = await listen((_request, response) => {
      const s = response.webSocket as WebSocket;
      s.on('start', () => events.push('start'));
      s.on('open', () => events.push('open'));
      s.on('close', () => resolve(events.push('close')));
      s.on('message', (body, { binary }) => {
        events.push(`${binary ? 'binary' : 'text'} ${body}`);
        s.sendTextMessage(body);
      });
      s.connect();
    });
    using client = await RawClient.open(server.port);
    client.write(Buffer.concat([clientFrame(0x81, 'hi'), clientFrame(0x82, 'ho'), clientFrame(0x88, '')]));
    expect(await client.take(10)).to.equal('81026869' + '8102686f' + '8800');
    await closed;
    expect(events).to.deep.equal(['start', 'open', 'text hi', 'binary ho', 'close']);
  });

  it('sendTextMessage() and sendBinaryMessage() decide the type of the message', async () => {
    const [server, client] = createPair();
    client.sendTextMessage('text');
    client.sendTextMessage(Buffer.from('text'));
    client.sendBinaryMessage('bytes');
    client.sendBinaryMessage(Buffer.from('bytes'));
    client.end();
    expect(await collect(server)).to.deep.equal(['text', 'text', Buffer.from('bytes'), Buffer.from('bytes')]);
  });

  it('calls the callback when a message was sent', async () => {
    const [server, client] = createPair();
    server.resume();
    await new Promise((sent) => client.sendTextMessage('a', sent));
    await new Promise((sent) => client.sendBinaryMessage('b', sent));
    client.end();
    await client.whenClosed();
  });

  it('sendTextMessage() and sendBinaryMessage() throw for a value that is no message', () => {
    const [, client] = createPair();
    for (const send of ['sendTextMessage', 'sendBinaryMessage'] as const) {
      expect(() => client[send](42 as unknown as string))
        .to.throw(WebSocketError, /not 42/)
        .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
    }
    client.destroy();
  });

  it('does not end the process if bytes of the peer that are not UTF-8 are echoed as text', async () => {
    let failure: string | undefined;
    await using server = await listen((_request, response) => {
      const s = response.webSocket?.connect() as WebSocket;
      s.on('message', (body) => s.sendTextMessage(body, (error) => (failure = (error as WebSocketError).code)));
    });
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x82, Uint8Array.of(0xff)));
    expect(await client.take(4)).to.equal('880203f3');
    expect(failure).to.equal('WS_ERR_INVALID_UTF8');
  });

  it('loses no message between once() and the next listener', async () => {
    const [server, client] = createPair();
    for (const message of ['a', 'b', 'c']) client.write(message);
    expect((await EventEmitter.once(server, 'message'))[0]).to.equal('a');
    await turn();
    expect((await EventEmitter.once(server, 'message'))[0]).to.equal('b');
    const rest: Message[] = [];
    server.on('message', (message) => rest.push(message));
    client.end();
    await server.whenClosed();
    await whenFinished(server);
    expect(rest).to.deep.equal(['c']);
  });

  it("'message' listeners work together with every other way of reading", async () => {
    const [server, client] = createPair();
    const heard: string[] = [];
    const hear = (who: string) => (message: Message) => void heard.push(`${who} ${message}`);
    const onMessage = hear('message');
    const onData = hear('data');
    const pipe = new Writable({ objectMode: true, write: (message, _, done) => done(void hear('pipe')(message)) });
    const steps: readonly (readonly [step: () => void, heard: readonly string[]])[] = [
      [() => server.on('message', onMessage), ['message']],
      [() => server.on('data', onData), ['message', 'data']],
      [() => server.removeListener('message', onMessage), ['data']],
      [() => server.prependListener('message', onMessage), ['data', 'message']],
      [() => server.pipe(pipe), ['data', 'message', 'pipe']],
      [() => server.removeListener('data', onData), ['message', 'pipe']],
      [() => server.unpipe(pipe).resume(), ['message']],
      [() => server.removeAllListeners('message').resume(), []],
      [() => server.on('message', onMessage), ['message']],
    ];
    for (const [index, [step, readers]] of steps.entries()) {
      step();
      // The second of them finds a stream that was read already.
      for (const message of ['first', 'second']) {
        client.write(message);
        await client.ping();
        expect(heard.splice(0), `step ${index}`).to.deep.equal(readers.map((who) => `${who} ${message}`));
      }
    }
  });

  it("ends the stream at a clean close, without an 'end' listener", async () => {
    const [server, client] = createPair();
    server.on('message', (message) => server.write(message));
    client.write('bye');
    client.end();
    expect(await collect(client)).to.deep.equal(['bye']);
  });
});

describe('Backpressure', () => {
  it('stops at the message at which the reader pauses, not at the end of the chunk', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.on('data', (message: Message) => {
        ws.pause();
        ws.write(`${message}, and ${ws.readableLength} wait`);
        if (message === '1') setImmediate(() => ws.resume());
      });
    });
    using client = await RawClient.open(server.port);
    client.write(Buffer.concat(Array.from({ length: 1000 }, (_, i) => clientFrame(0x81, String(i + 1)))));
    await client.until(() => client.received.includes('2, and'));
    // The first message found nobody waiting; during the second the read-ahead is full, and the other 982 are still bytes.
    expect(client.received.toString('latin1'))
      .to.include('1, and 0 wait')
      .and.to.match(/2, and 1[0-6] wait/);
  });

  it('holds back a peer whose messages are not read, and loses none of them', async () => {
    const [server, client] = createPair();
    const message = 'x'.repeat(10_000);
    let accepted = 0;
    while (client.write(message)) {
      accepted++;
      await turn();
    }
    expect(accepted).to.be.below(100);
    client.end();
    expect(await collect(server)).to.have.length(accepted + 1);
  });

  it("makes write() return false when the transport is full, and 'drain' follows", async () => {
    const [server, client] = createPair();
    const message = Buffer.alloc(20_000);
    let accepted: boolean;
    do {
      accepted = client.write(message);
      await turn();
    } while (!client.writableNeedDrain);
    expect(accepted).to.equal(false);
    expect(client.bufferedAmount).to.be.above(message.length);
    const drained = once(client, 'drain');
    server.resume();
    await drained;
    client.end();
    await client.whenClosed();
    expect(client.bufferedAmount).to.equal(0);
  });

  it('limits the bytes in the transport of a loop that does not wait, and counts them', async () => {
    const [server, client] = createPair();
    let sent = 0;
    while (client.write('y'.repeat(1000)) && sent < 10_000) sent++;
    expect(sent).to.be.below(1000);
    for (let i = 0; i < 10; i++) client.write('z'.repeat(1000));
    expect(client.bufferedAmount).to.be.within((sent + 10) * 1000, (sent + 12) * 1100);
    server.resume();
    client.end();
    await client.whenClosed();
  });

  it('stops a piped source while the peer does not read', async () => {
    const [server, client] = createPair();
    let produced = 0;
    const source = new Readable({
      objectMode: true,
      read() {
        produced++;
        this.push(Buffer.alloc(50_000));
      },
    });
    source.pipe(client);
    let before: number;
    do {
      before = produced;
      for (let i = 0; i < 20; i++) await turn();
    } while (produced > before);
    expect(produced).to.be.below(100);
    source.unpipe(client);
    source.destroy();
    client.destroy();
    server.destroy();
  });

  it('answers only the latest ping of a peer that does not read, and keeps no memory for the others', async () => {
    const sockets: WebSocket[] = [];
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.resume();
      sockets.push(ws);
    });
    using client = await RawClient.open(server.port);
    client.socket.pause();
    const ws = sockets[0] as WebSocket;
    // Long enough: what the operating system takes in the meantime must not be mistaken for the peer's reading.
    for (let full = 0; full < 50; full = ws.writableNeedDrain ? full + 1 : 0) {
      if (!ws.writableNeedDrain) ws.write(Buffer.alloc(100_000));
      await turn();
    }
    const buffered = ws.bufferedAmount;
    let pings = 0;
    ws.on('ping', () => pings++);
    for (let i = 0; i < 5000; i++) client.write(clientFrame(0x89, String(i)));
    while (pings < 5000) await once(ws, 'ping');
    expect(ws.bufferedAmount).to.equal(buffered);
    client.socket.resume();
    // 8a 04 "4999": the pong stands before the message that was waiting longer than it.
    await client.until(() => client.received.includes(Buffer.from('8a0434393939', 'hex')));
    expect(client.received.includes('4998')).to.equal(false);
  });
});

describe('The end of a WebSocket', () => {
  for (const [code, expected] of [
    ['88 02 03e8', 1000],
    ['88 02 03e9', 1001],
    ['88 00', 1005],
  ] as const) {
    it(`is 'end' when the peer closes with ${expected}`, async () => {
      const { promise: outcome, resolve } = resolvers();
      await using server = await listen(async (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        resolve([await collect(ws), await ws.whenClosed()]);
      });
      using client = await RawClient.open(server.port);
      client.write(clientFrame(0x81, 'last words'));
      const [first = 0, , ...body] = Buffer.from(code.replaceAll(' ', ''), 'hex');
      client.write(clientFrame(first, Buffer.from(body)));
      // The answer has the peer's code, and then the server ends the connection.
      expect(await client.take(2 + body.length)).to.equal(code.replaceAll(' ', ''));
      await client.end();
      expect(await outcome).to.deep.equal([['last words'], { code: expected, reason: '', wasClean: true }]);
    });
  }

  it('is an error with the code when the peer closes with any other code, after all its messages', async () => {
    const [server, client] = createPair();
    client.write('almost');
    client.close(4001, 'out of paper');
    const received: Message[] = [];
    const error = await rejection(
      (async () => {
        for await (const message of server) received.push(message);
      })(),
    );
    expect(received).to.deep.equal(['almost']);
    expect(error).to.be.instanceOf(WebSocketError);
    expect(error.code).to.equal('WS_ERR_CLOSED_BY_PEER');
    expect(error.closeCode).to.equal(4001);
    expect(error.message).to.include('out of paper');
    // For the side that asked for it, it is a clean end.
    client.resume();
    await whenFinished(client);
    expect(await client.whenClosed()).to.deep.equal({ code: 4001, reason: '', wasClean: true });
    expect([server.closeCode, server.closeReason, server.wasClean]).to.deep.equal([4001, 'out of paper', true]);
  });

  it('is an error when the connection ends without a Close frame, and pipeline() rejects', async () => {
    let failure: WebSocketError | undefined;
    const { promise, resolve } = resolvers();
    await using server = await listen(async (_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      failure = await rejection(pipeline(ws, new Writable({ objectMode: true, write: (_m, _e, done) => done() })));
      resolve(await ws.whenClosed());
    });
    using client = await RawClient.open(server.port);
    client.socket.end(clientFrame(0x81, 'cut'));
    expect(await promise).to.deep.equal({ code: 1006, reason: '', wasClean: false });
    expect(failure?.code).to.equal('WS_ERR_CONNECTION_LOST');
    expect(failure?.closeCode).to.equal(1006);
  });

  it('is emitted after the messages received before, to a reader that is slow or paused', async () => {
    const [server, client] = createPair();
    for (let i = 0; i < 100; i++) client.write(String(i));
    client.close(1011);
    const received: Message[] = [];
    const error = await rejection(
      (async () => {
        for await (const message of server) {
          received.push(message);
          await turn();
        }
      })(),
    );
    expect(error.closeCode).to.equal(1011);
    expect(received).to.have.length(100);
  });

  it('sends the code and the reason of close() after all written messages', async () => {
    const [server, client] = createPair();
    server.write('x'.repeat(300_000));
    server.close(1001, 'moving');
    expect((await collect(client)).map(({ length }) => length)).to.deep.equal([300_000]);
    expect(await client.whenClosed()).to.deep.equal({ code: 1001, reason: 'moving', wasClean: true });
  });

  it('delivers messages that are received after our own Close frame was sent', async () => {
    const [server, client] = createPair();
    client.end('please');
    server.once('data', () => {
      for (let i = 0; i < 100; i++) server.write(String(i));
    });
    expect(await collect(client)).to.have.length(100);
  });

  it('sends 1011 after destroy(error), and no Close frame after abort()', async () => {
    const [server, client] = createPair();
    const seen = once(client, 'error');
    server.on('error', () => {});
    server.destroy(new Error('no more disk'));
    const [error] = (await seen) as [WebSocketError];
    expect(error.closeCode).to.equal(1011);

    const [left, right] = createPair();
    const lost = once(right, 'error');
    left.abort();
    expect(((await lost) as [WebSocketError])[0].code).to.equal('WS_ERR_CONNECTION_LOST');
    expect(await left.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
  });

  it('emits the error that abort() was given', async () => {
    const [server, client] = createPair();
    server.on('error', () => {});
    const failed = once(client, 'error');
    client.abort(new Error('enough'));
    expect(((await failed) as [Error])[0].message).to.equal('enough');
  });

  it("emits 'close' without a reader in a program that only writes", async () => {
    const [server, client] = createPair();
    server.write('tick');
    client.resume();
    client.end();
    await once(server, 'close');
    expect((await server.whenClosed()).wasClean).to.equal(true);
  });

  it('keeps unread messages, answers the Close frame for the program, and drops the messages later', async () => {
    const [closed, close] = [resolvers(), resolvers()];
    await using server = await listen(
      (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.whenClosed().then(() => closed.resolve(ws.readableLength));
        ws.on('close', () => close.resolve(ws.errored));
      },
      { closeTimeout: 30 },
    );
    using client = await RawClient.open(server.port);
    client.write(Buffer.concat([clientFrame(0x81, 'for later'), clientFrame(0x88, Buffer.from([3, 232]))]));
    expect(await client.take(4)).to.equal('880203e8');
    client.socket.end();
    expect(await closed.promise).to.equal(1);
    expect(await close.promise).to.equal(null);
  });

  for (const [how, serve] of Object.entries<(ws: WebSocket) => unknown>({
    'a loop': async (ws) => {
      for await (const message of ws) ws.write(message);
    },
    'a pipe': (ws) => ws.pipe(ws),
    "a 'message' listener": (ws) => ws.on('message', (message) => ws.write(message)),
    'pipeline() with a slow tail': (ws) =>
      pipeline(
        ws,
        async function* (source: AsyncIterable<Message>) {
          for await (const message of source) {
            await turn();
            yield message;
          }
        },
        ws,
      ),
    'a loop that works for a while on each': async (ws) => {
      for await (const message of ws) {
        for (let i = 0; i < 5; i++) await turn();
        ws.write(message);
      }
    },
    'web streams with a slow transform': (ws) => {
      const { readable, writable } = Duplex.toWeb(ws);
      const slow = new TransformStream({
        async transform(message, controller) {
          for (let i = 0; i < 5; i++) await turn();
          controller.enqueue(message);
        },
      });
      // Before Node 24 the writer of such a pair is told of the end as of an abort, whatever the stream.
      return readable
        .pipeThrough(slow as never)
        .pipeTo(writable)
        .catch(({ name }: Error) => expect(name).to.equal('AbortError'));
    },
  })) {
    it(`waits for the answers of ${how} that begins after all messages and the Close frame were received`, async () => {
      const { promise: served, resolve } = resolvers();
      await using server = await listen(async (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        while (ws.readableLength < 3) await turn();
        for (let i = 0; i < 5; i++) await turn();
        resolve(await serve(ws));
      });
      using client = await RawClient.open(server.port);
      const texts = ['m1', 'm2', 'm3'].map((text) => clientFrame(0x81, text));
      client.write(Buffer.concat([...texts, clientFrame(0x88, Buffer.from([3, 232]))]));
      expect(await client.take(16)).to.equal('81026d31' + '81026d32' + '81026d33' + '880203e8');
      await served;
      await client.end();
    });
  }

  it('is clean for a reader that takes longer than closeTimeout, and the peer gets its answer', async () => {
    const { promise: read, resolve } = resolvers();
    await using server = await listen(
      async (_request, response) => {
        const received: Message[] = [];
        const slow = new Writable({
          objectMode: true,
          highWaterMark: 1,
          write(message: Message, _encoding, done) {
            received.push(message);
            setTimeout(done, 15);
          },
        });
        await pipeline(response.webSocket?.connect() as WebSocket, slow);
        resolve(received.length);
      },
      { closeTimeout: 30 },
    );
    using client = await RawClient.open(server.port);
    const messages = Array.from({ length: 10 }, () => clientFrame(0x81, 'x'));
    client.write(Buffer.concat([...messages, clientFrame(0x88, Buffer.from([3, 232]))]));
    expect(await client.take(4)).to.equal('880203e8');
    expect(await read).to.equal(10);
  });

  it('fails a pipeline whose transform takes longer than closeTimeout', async () => {
    const { promise: failure, resolve } = resolvers();
    await using server = await listen(
      async (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        const never = new Transform({ objectMode: true, flush: () => {} });
        resolve((await rejection(pipeline(ws, never, ws))).code);
      },
      { closeTimeout: 30 },
    );
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x88, ''));
    expect(await client.take(2)).to.equal('8800');
    expect(await failure).to.equal('WS_ERR_CLOSE_TIMEOUT');
  });

  it('does not fail a reader that writes too late', async () => {
    const [server, client] = createPair();
    for (const message of ['a', 'b', 'c']) client.write(message);
    client.end();
    client.resume();
    server.write('I only write');
    await client.whenClosed();
    const events: string[] = [];
    server.on('end', () => events.push('end'));
    server.on('error', (error) => events.push((error as WebSocketError).code));
    const closed = new Promise((resolve) => server.on('close', resolve));
    for await (const message of server) {
      events.push(message as string);
      expect(server.write('too late')).to.equal(false);
    }
    await closed;
    // A write without a callback that comes after the end is told of by its false.
    expect(events).to.deep.equal(['a', 'b', 'c', 'end']);
  });

  it('fails only the callback of a write that is too late', async () => {
    const [server, client] = createPair();
    client.resume();
    server.on('error', ({ message }) => expect.fail(message));
    server.resume();
    client.end();
    await client.whenClosed();
    const codes = await Promise.all(
      [
        (done: (error?: Error | null) => void) => server.write('too late', done),
        (done: (error?: Error | null) => void) => server.sendTextMessage('too late', done),
        (done: (error?: Error | null) => void) => server.end('too late', done),
      ].map((write) => new Promise((resolve) => write((error) => resolve((error as WebSocketError).code)))),
    );
    expect(codes).to.deep.equal(Array(3).fill('WS_ERR_NOT_OPEN'));
    expect(await server.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    expect([server.readableEnded, server.errored]).to.deep.equal([true, null]);
  });

  it('cancels a source that is written too late', async () => {
    const [server, client] = createPair();
    client.resume();
    server.resume();
    client.end();
    await client.whenClosed();
    const sources = [new PassThrough(), new PassThrough()] as const;
    await new Promise<unknown>((done) => server.write(sources[0], done));
    server.destroy();
    await new Promise<unknown>((done) => server.write(sources[1], done));
    expect(sources.map(({ destroyed }) => destroyed)).to.deep.equal([true, true]);
  });

  for (const [how, hold] of Object.entries<(ws: WebSocket) => void>({
    "a program that listens for 'drain'": (ws) => ws.on('drain', () => {}),
    'a pipe that does not end it': (ws) => new PassThrough().pipe(ws, { end: false }),
  })) {
    it(`is not delayed by ${how}`, async () => {
      const [server, client] = createPair();
      const events: string[] = [];
      hold(server);
      server.on('error', (error) => events.push((error as WebSocketError).code));
      server.on('end', () => events.push('end'));
      server.on('data', () => {});
      client.resume();
      server.write('what has been said');
      client.close(1001);
      await Promise.all([server, client].map((ws) => new Promise((resolve) => ws.on('close', resolve))));
      expect(await client.whenClosed()).to.deep.equal({ code: 1001, reason: '', wasClean: true });
      expect(client.errored).to.equal(null);
      expect(events).to.deep.equal(['end']);
    });
  }

  it('is reached by a stream whose last listener was removed', async () => {
    const { promise: closed, resolve } = resolvers();
    await using server = await listen(
      async (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.on('close', () => resolve(true));
        await once(ws, 'message');
      },
      { closeTimeout: 30 },
    );
    using client = await RawClient.open(server.port);
    client.write(Buffer.concat([clientFrame(0x81, 'a'), clientFrame(0x81, 'b')]));
    for (let i = 0; i < 10; i++) await turn();
    client.socket.resetAndDestroy();
    expect(await closed).to.equal(true);
  });

  it('is reached after removeAllListeners()', async () => {
    const [server, client] = createPair();
    server.removeAllListeners();
    server.resume();
    client.resume();
    client.end();
    expect((await client.whenClosed()).wasClean).to.equal(true);
  });

  it('is reached after end() if the peer does not read', async () => {
    const { promise: failure, resolve } = resolvers();
    await using server = await listen(
      (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.on('error', (error) => resolve((error as WebSocketError).code));
        for (let i = 0; i < 30; i++) ws.write(Buffer.alloc(1024 * 1024));
        ws.close(1000);
      },
      { closeTimeout: 60, maxBufferedAmount: Number.POSITIVE_INFINITY },
    );
    using client = await RawClient.open(server.port);
    client.socket.pause();
    expect(await failure).to.equal('WS_ERR_CLOSE_TIMEOUT');
  });

  it('is an error when the peer does not answer our Close frame within closeTimeout', async () => {
    const failures: WebSocketError[] = [];
    await using server = await listen(
      (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        ws.on('error', (error) => failures.push(error as WebSocketError));
        ws.resume();
        ws.close(1000);
      },
      { closeTimeout: 30 },
    );
    using client = await RawClient.open(server.port);
    expect(await client.take(4)).to.equal('880203e8');
    await client.end();
    await turn();
    expect(failures.map(({ code }) => code)).to.deep.equal(['WS_ERR_CLOSE_TIMEOUT']);
  });

  it('does not wait forever for a stream that is piped in and never ends', async () => {
    await using server = await listen(
      (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        new PassThrough().pipe(ws);
        ws.on('data', () => {});
      },
      { closeTimeout: 30 },
    );
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x88, ''));
    expect(await client.take(2)).to.equal('8800');
    await client.end();
  });

  it('is reached at once if an independent source is piped in and nobody reads', async () => {
    await using server = await listen((_request, response) => {
      new PassThrough().pipe(response.webSocket?.connect() as WebSocket);
    });
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x88, Buffer.from([3, 232])));
    expect(await client.take(4)).to.equal('880203e8');
  });

  it('does not throw for a peer’s failure on a server without an error listener', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.pipe(ws);
    });
    using client = await RawClient.open(server.port);
    client.write(Buffer.from('c180', 'hex')); // a reserved bit
    expect(await client.take(4)).to.equal('880203ea'); // 1002
    await client.end();
  });

  it('does not end the process of a server that goes on writing, whenever the peer leaves', async () => {
    const survivals: Promise<void>[] = [];
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      const { promise: survived, resolve: survive } = resolvers();
      survivals.push(survived as Promise<void>);
      let writesAfterClose = 0;
      const ticks = setInterval(() => {
        if (ws.write('tick')) void ws.ping();
        if (!ws.destroyed || ++writesAfterClose < 5) return;
        clearInterval(ticks);
        survive(undefined);
      }, 1);
    });
    using polite = await RawClient.open(server.port);
    using rude = await RawClient.open(server.port);
    const outcomes = [...server.handle.connections].map((ws) => ws.whenClosed());
    await polite.until(() => polite.received.includes('tick'));
    polite.write(clientFrame(0x88, Buffer.from([3, 232])));
    rude.socket.resetAndDestroy();
    const codes = (await Promise.all(outcomes)).map(({ code }) => code);
    expect(codes).to.deep.equal([1000, 1006]);
    await Promise.all(survivals);
    expect(survivals).to.have.length(2);
  });

  it('is reported once, also if several ends happen at the same time', async () => {
    const [server, client] = createPair();
    const calls: unknown[] = [];
    finished(server, (error) => calls.push(error));
    server.on('error', (error) => calls.push(error));
    client.abort();
    server.end('too late');
    await server.whenClosed();
    await turn();
    expect(calls).to.have.length(2);
    expect(calls[0]).to.equal(calls[1]);
  });

  it('fails later writes, and nothing else', async () => {
    const [server, client] = createPair();
    server.resume();
    client.end();
    client.on('error', () => {});
    const error = await new Promise<NodeJS.ErrnoException>((done) =>
      client.write('late', undefined, done as () => void),
    );
    expect([error.code, client.errored]).to.deep.equal(['WS_ERR_NOT_OPEN', null]);
    await client.whenClosed();
  });

  for (const [what, close] of Object.entries<(ws: WebSocket) => void>({
    'code 1005': (ws) => ws.close(1005),
    'code 1006': (ws) => ws.close(1006),
    'code 999': (ws) => ws.close(999),
    'a reason of 124 bytes': (ws) => ws.close(1000, 'x'.repeat(124)),
    'a code that is no number': (ws) => ws.close('1000' as unknown as number),
    'a reason that is no string': (ws) => ws.close(1000, new Float32Array(20) as unknown as string),
  })) {
    it(`cannot be asked for with ${what}`, () => {
      const [server, client] = createPair();
      expect(() => close(server))
        .to.throw(WebSocketError)
        .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
      server.destroy();
      client.destroy();
    });
  }
});

describe('Pings and pongs', () => {
  it('ping() resolves with the round trip', async () => {
    const [server, client] = createPair();
    const pinged = once(server, 'ping');
    const roundTrip = await client.ping('are you there?');
    expect(roundTrip).to.be.a('number').and.to.be.at.least(0);
    expect((await pinged)[0].toString()).to.equal('are you there?');
    client.end();
    server.resume();
    client.resume();
  });

  it('several pings each get their own pong, and pong() sends an unsolicited one', async () => {
    const [server, client] = createPair();
    const pongs: string[] = [];
    client.on('pong', (payload) => pongs.push(payload.toString()));
    const both = Promise.all([client.ping('1'), client.ping('2')]);
    server.pong('unasked');
    await both;
    expect(pongs).to.have.members(['1', '2', 'unasked']);
    expect(await client.ping()).to.be.a('number');
    client.destroy();
  });

  it('a ping that is lost with the connection rejects, without an unhandled rejection', async () => {
    const [server, client] = createPair();
    const looked = client.ping('a');
    client.ping('b');
    client.on('error', () => {});
    client.abort();
    expect((await rejection(looked)).code).to.equal('WS_ERR_NOT_OPEN');
    server.on('error', () => {});
    expect((await rejection(client.ping())).code).to.equal('WS_ERR_NOT_OPEN');
    expect(client.pong()).to.equal(false);
  });

  it('are refused in a version without them, with its name', async () => {
    const [server, client] = createPair({ version: 'draft75' });
    const error = await rejection(client.ping());
    expect(error.code).to.equal('WS_ERR_UNSUPPORTED');
    expect(error.message).to.match(/draft75 has no pings/);
    expect(client.pong()).to.equal(false);
    for (const end of [server, client]) end.abort();
  });

  it('pong(): returns true when it was sent, also without data', async () => {
    const [server, client] = createPair();
    const received = once(client, 'pong');
    expect(server.pong()).to.equal(true);
    expect(String((await received)[0])).to.equal('');
    for (const end of [server, client]) end.abort();
  });

  it('take at most 125 bytes, of bytes or text', () => {
    const [, client] = createPair();
    expect(() => client.ping('x'.repeat(126))).to.throw(WebSocketError, /125/);
    expect(() => client.pong(Buffer.alloc(126))).to.throw(WebSocketError, /125/);
    // A number once meant that many bytes of somebody else's memory.
    expect(() => client.ping(100 as unknown as string)).to.throw(Error);
    client.destroy();
  });

  it('go between the messages that wait for a slow peer', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.pipe(ws);
    });
    using client = await RawClient.open(server.port);
    client.write(Buffer.concat([clientFrame(0x01, 'he'), clientFrame(0x89, 'p'), clientFrame(0x80, 'y')]));
    // The pong comes before the message in whose middle the ping was.
    expect(await client.take(3 + 5)).to.equal('8a0170' + '8103686579');
  });
});

describe('A WebSocket before and while it opens', () => {
  it('keeps messages that are written before connect()', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket as WebSocket;
      ws.write('early');
      ws.end('and gone');
      setImmediate(() => ws.connect().resume());
    });
    using client = await RawClient.open(server.port);
    expect(await client.take(7)).to.equal(`8105${Buffer.from('early').toString('hex')}`);
    expect(await client.take(10)).to.equal(`8108${Buffer.from('and gone').toString('hex')}`);
    expect(await client.take(4)).to.equal('880203e8');
  });

  it('cannot send a ping', async () => {
    const ws = connect('ws://localhost/', { createConnection: () => new PassThrough() as never });
    const ping = ws.ping();
    ws.destroy();
    expect(await rejection(ping)).to.have.property('code', 'WS_ERR_NOT_OPEN');
  });

  it('has its request, its subprotocols and its version', async () => {
    const seen: unknown[] = [];
    await using server = await listen((request, response) => {
      const ws = response.webSocket as WebSocket;
      ws.connect({ protocol: 'b' }).resume();
      seen.push(ws.request === request, ws.protocols, ws.protocol, ws.version, ws.extensions);
    });
    using _client = await RawClient.open(server.port, {
      version: 'Sec-WebSocket-Version: 8',
      more: 'Sec-WebSocket-Protocol: a, b',
    });
    expect(seen).to.deep.equal([true, ['a', 'b'], 'b', '8', '']);
  });

  it('prefers the options of one connection to those of the server', async () => {
    await using server = await listen(
      (_request, response) => {
        response.webSocket?.connect({ maxMessageSize: 10 }).resume();
      },
      { maxMessageSize: 5 },
    );
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x81, '1234567890'));
    client.write(clientFrame(0x81, '12345678901'));
    expect(await client.take(4)).to.equal('880203f1'); // 1009
  });
});

interface Resolvers {
  readonly promise: Promise<unknown>;
  resolve(value: unknown): void;
}

function resolvers(): Resolvers {
  let resolve: Resolvers['resolve'] = () => {};
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
