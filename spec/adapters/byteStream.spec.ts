import { type EventEmitter, once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, createServer, connect as openSocket, type Server, type Socket } from 'node:net';
import { Duplex, finished, PassThrough, Readable, Transform, Writable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { createSecureContext, TLSSocket, connect as tlsConnect } from 'node:tls';
import { createGunzip, createGzip } from 'node:zlib';
import { expect } from 'chai';
import split2 from 'split2';
import {
  byteStream,
  connect,
  createPair,
  type Message,
  type PairOptions,
  type WebSocket,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { listen } from '../support/http';

const normal = { code: 1000, reason: '', wasClean: true };

/** A byte stream over the server's end of a pair, and the client's end. */
function open(options: PairOptions = {}): { bytes: Duplex; ws: WebSocket; peer: WebSocket } {
  const [ws, peer] = createPair(options);
  // A client is told of the end of the other side by an error, unless that is clean.
  peer.on('error', () => {});
  return { bytes: byteStream(ws), ws, peer };
}

/** The error that a stream is destroyed with. */
const failureOf = (stream: Duplex | WebSocket) =>
  new Promise<WebSocketError>((resolve) => (stream as EventEmitter).once('error', resolve));

describe('byteStream()', () => {
  it('reads text and binary messages as bytes', async () => {
    const { bytes, peer } = open();
    peer.write('grün, ');
    peer.write('');
    peer.write(Buffer.from([0xe2, 0x82]));
    peer.end(Buffer.from([0xac]));
    expect(bytes.readableObjectMode).to.equal(false);
    expect((await buffer(bytes)).toString()).to.equal('grün, €');
  });

  it('sends each write as one binary message, whatever its type', async () => {
    const { bytes, peer } = open();
    bytes.write(Buffer.from('buffer'));
    bytes.write('text');
    bytes.write('00ff', 'hex');
    bytes.write(new Uint16Array([0x6161]));
    bytes.setDefaultEncoding('latin1').write('\xe9');
    bytes.end('the last one');
    const expected = ['buffer', 'text', Buffer.from([0, 0xff]), 'aa', Buffer.from([0xe9]), 'the last one'];
    expect(await peer.toArray()).to.deep.equal(expected.map((each) => Buffer.from(each as string)));
  });

  it('reads what was cut anywhere: read(4) waits for four bytes', async () => {
    const { bytes, peer } = open();
    for (const byte of [1, 2, 3, 4, 5]) peer.write(Buffer.from([byte]));
    let head: Buffer | null = null;
    while (head === null) {
      await once(bytes, 'readable');
      head = bytes.read(4) as Buffer | null;
    }
    expect(head).to.deep.equal(Buffer.from([1, 2, 3, 4]));
    peer.end();
    expect(await buffer(bytes)).to.deep.equal(Buffer.from([5]));
  });

  it('decodes text across messages with setEncoding()', async () => {
    const { bytes, peer } = open();
    for (const byte of Buffer.from('a€')) peer.write(Buffer.from([byte]));
    peer.end();
    const pieces: string[] = await bytes.setEncoding('utf8').toArray();
    expect(pieces.join()).to.equal('a,€');
  });

  it('reads messages that are delivered as streams, one after the other', async () => {
    const [ws, peer] = createPair({ messages: 'stream' });
    peer.write(Readable.from([Buffer.alloc(3_000_000, 'x'), Buffer.from('y')]));
    peer.write('text: €');
    peer.end();
    const read = await buffer(byteStream(ws));
    expect([read.length, read.subarray(3_000_000).toString()]).to.deep.equal([3_000_010, 'ytext: €']);
  });

  for (const size of [10, 100_000]) {
    it(`delivers messages that are streams, of ${size} bytes, to a slow reader to the last one`, async () => {
      const [ws, peer] = createPair({ messages: 'stream' });
      for (let i = 0; i < 30; i++) peer.write(Buffer.alloc(size));
      peer.end();
      let read = 0;
      const slowly = new Writable({
        highWaterMark: 1,
        write(bytes: Buffer, _encoding, done) {
          read += bytes.length;
          setImmediate(() => setImmediate(done));
        },
      });
      await pipeline(byteStream(ws), slowly);
      expect(read).to.equal(30 * size);
      expect(await peer.whenClosed()).to.deep.equal(normal);
    });
  }

  it('is one stream for a WebSocket, however often it is asked for', () => {
    const { bytes, ws } = open();
    expect(byteStream(ws)).to.equal(bytes);
    bytes.destroy();
  });

  it('refuses what is no WebSocket, and writes that are no bytes', () => {
    const { bytes } = open();
    expect(() => byteStream(new PassThrough() as unknown as WebSocket))
      .to.throw('byteStream() takes a WebSocket of this library, not an instance of PassThrough')
      .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
    for (const chunk of [null, undefined, 1, {}, Readable.from('')])
      expect(() => bytes.write(chunk))
        .to.throw('a byte stream takes a string, a Buffer')
        .with.property('code');
    bytes.destroy();
  });

  describe('its backpressure', () => {
    it('stops the peer when nobody reads: what waits, waits there', async () => {
      const { bytes, peer } = open();
      bytes.once('readable', () => {});
      const chunk = Buffer.alloc(64 * 1024);
      for (let i = 0; i < 20; i++) peer.write(chunk);
      // A pair needs a turn for each chunk that it moves.
      for (let i = 0; i < 100; i++) await turn();
      expect(peer.bufferedAmount).to.be.greaterThan(10 * chunk.length);
      expect(bytes.readableLength).to.equal(chunk.length);
      peer.end();
      expect(await buffer(bytes)).to.have.lengthOf(20 * chunk.length);
    });

    it('pauses the WebSocket with the stream, before another byte is read', async () => {
      const { bytes, ws, peer } = open();
      const chunks: Buffer[] = [];
      bytes.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes.pause();
      });
      for (const message of ['one', 'two', 'three']) peer.write(message);
      await once(bytes, 'pause');
      await peer.ping();
      expect([String(chunks), ws.isPaused(), bytes.readableLength]).to.deep.equal(['one', true, 0]);
      bytes.resume();
      await once(bytes, 'pause');
      bytes.resume();
      await once(bytes, 'pause');
      expect(String(chunks)).to.equal('one,two,three');
      bytes.destroy();
    });

    it("calls the callback of write() when the WebSocket calls its own, and answers with what the WebSocket's does", async () => {
      const { bytes, ws, peer } = open();
      peer.pause().on('message', () => {});
      const sent: number[] = [];
      let written = 0;
      const chunk = Buffer.alloc(64 * 1024);
      while (bytes.write(chunk, () => sent.push(ws.bufferedAmount))) written++;
      expect(bytes.writableNeedDrain).to.equal(true);
      expect(bytes.writableLength).to.equal(ws.bufferedAmount).and.to.be.greaterThan(0);
      expect(sent.length).to.be.lessThan(written + 1);
      peer.resume();
      await once(bytes, 'drain');
      expect(sent).to.have.lengthOf(written + 1);
      expect(bytes.writableLength).to.equal(0);
      bytes.destroy();
    });

    it('has no queue beyond that of the WebSocket: maxBufferedAmount bounds a program that does not wait', async () => {
      const { bytes, peer } = open({ maxBufferedAmount: 1_000_000 });
      peer.pause();
      const failure = failureOf(bytes);
      const chunk = Buffer.alloc(500_000);
      for (let i = 0; i < 10; i++) bytes.write(chunk);
      expect(await failure).to.have.property('code', 'WS_ERR_BUFFER_FULL');
      peer.abort();
    });

    it('carries more than all queues together through a chain', async () => {
      const { bytes, peer } = open();
      bytes.pipe(createGzip()).pipe(bytes);
      const chunk = Buffer.alloc(100_000, 'abc');
      const source = Readable.from(Array.from({ length: 50 }, () => chunk));
      const [unpacked] = await Promise.all([
        pipeline(peer, createGunzip(), buffer),
        pipeline(source, new PassThrough(), byteStream(peer)),
      ]);
      expect(unpacked).to.deep.equal(Buffer.concat(Array.from({ length: 50 }, () => chunk)));
    });
  });

  describe('its end', () => {
    it("is 'end' after a clean close, and its own end() closes cleanly", async () => {
      const { bytes, peer } = open();
      bytes.resume();
      peer.end('x');
      await Promise.all([once(bytes, 'end'), once(bytes, 'finish'), once(bytes, 'close')]);
      expect(await peer.whenClosed()).to.deep.equal(normal);
      const other = open();
      other.bytes.resume().end('x');
      other.peer.resume();
      await once(other.bytes, 'close');
      expect(await other.peer.whenClosed()).to.deep.equal(normal);
    });

    it('is an error after any other close, with its code', async () => {
      const { bytes, peer } = open();
      const failure = failureOf(bytes.resume());
      let ended = false;
      bytes.on('end', () => {
        ended = true;
      });
      peer.close(4000, 'enough');
      expect(await failure).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 4000 });
      expect(ended).to.equal(false);
    });

    it('is an error when the connection is lost, after everything that was received', async () => {
      const { bytes, peer } = open();
      const received: Buffer[] = [];
      const loop = (async () => {
        for await (const chunk of bytes) {
          received.push(chunk);
          await turn();
        }
      })();
      for (const message of ['one', 'two', 'three']) peer.write(message);
      await peer.ping();
      peer.abort();
      const error = await loop.then(
        () => expect.fail('it ended'),
        (reason: WebSocketError) => reason,
      );
      expect([error.code, String(received)]).to.deep.equal(['WS_ERR_CONNECTION_LOST', 'one,two,three']);
    });

    it('comes after what a paused reader has not read yet', async () => {
      const { bytes, peer } = open();
      bytes.once('readable', () => {});
      peer.write('one');
      await once(bytes, 'readable');
      const failure = failureOf(bytes);
      peer.close(4000);
      await peer.whenClosed();
      expect(String(bytes.read())).to.equal('one');
      expect((await failure).closeCode).to.equal(4000);
    });

    it('destroys the WebSocket with the error of destroy(), and without one', async () => {
      const { bytes, ws, peer } = open();
      const error = new Error('of the program');
      const failures = Promise.all([failureOf(bytes), failureOf(ws)]);
      bytes.destroy(error);
      expect(await failures).to.deep.equal([error, error]);
      peer.resume().on('error', () => {});
      expect((await peer.whenClosed()).code).to.equal(1011);

      const other = open();
      other.bytes.destroy();
      other.peer.resume().on('error', () => {});
      expect((await other.peer.whenClosed()).code).to.equal(1011);
      expect(other.ws.destroyed).to.equal(true);
    });

    it('comes with that of the WebSocket, whoever destroys or closes that', async () => {
      const { bytes, ws, peer } = open();
      peer.resume().on('error', () => {});
      ws.destroy();
      await once(bytes, 'close');
      const other = open();
      other.ws.close(4001, 'bye');
      other.peer.resume().on('error', () => {});
      await Promise.all([once(other.bytes.resume(), 'finish'), once(other.bytes, 'close')]);
      expect((await other.peer.whenClosed()).code).to.equal(4001);
    });

    it('is that of the WebSocket also where that has ended before', async () => {
      const [ws, peer] = createPair();
      peer.resume();
      ws.resume().end();
      await once(ws, 'close');
      const bytes = byteStream(ws);
      await once(bytes, 'close');
      expect(bytes.write('x')).to.equal(false);
    });

    it('waits for a chain that leads back, and keeps its tail', async () => {
      const { bytes, peer } = open();
      const tail = new Transform({
        transform: (chunk, _encoding, done) => done(null, chunk),
        flush: (done) => void turn().then(() => done(null, 'the tail')),
      });
      bytes.pipe(tail).pipe(bytes);
      peer.end('head, ');
      expect(await text(peer)).to.equal('head, the tail');
      expect(await peer.whenClosed()).to.deep.equal(normal);
    });

    it('waits for a loop that answers', async () => {
      const { bytes, peer } = open();
      const loop = (async () => {
        for await (const chunk of bytes) {
          await turn();
          bytes.write(`<${chunk}>`);
        }
      })();
      peer.write('a');
      peer.end('b');
      expect(await text(peer)).to.equal('<a><b>');
      expect(await peer.whenClosed()).to.deep.equal(normal);
      await loop;
    });

    it('does not wait for a feed, which is unpiped, nor for a program that only writes', async () => {
      const { bytes, peer } = open();
      const feed = new PassThrough();
      feed.pipe(bytes.resume());
      feed.write('x');
      await once(peer, 'data');
      peer.resume().end();
      expect(await peer.whenClosed()).to.deep.equal(normal);
      expect(feed.listenerCount('data')).to.equal(0);

      const writer = open();
      writer.bytes.write('x');
      writer.peer.write('never read');
      writer.peer.resume().end();
      expect(await writer.peer.whenClosed()).to.deep.equal(normal);
    });

    it('is answered by half of closeTimeout, whatever a chain does, which then fails', async () => {
      const { bytes, peer } = open({ closeTimeout: 100 });
      const never = new PassThrough({ final: () => {} });
      bytes.pipe(never).pipe(bytes);
      const failure = failureOf(bytes);
      peer.resume().end('x');
      expect(await failure).to.have.property('code', 'WS_ERR_CLOSE_TIMEOUT');
      expect(await peer.whenClosed()).to.deep.equal(normal);
    });

    it('is an error if a message that is read as a stream is cut off', async () => {
      const [ws, peer] = createPair({ messages: 'stream' });
      peer.on('error', () => {});
      const bytes = byteStream(ws);
      const failure = failureOf(bytes);
      const message = new PassThrough();
      peer.write(message);
      message.write(Buffer.alloc(100_000));
      await once(bytes, 'data');
      peer.abort();
      expect(await failure).to.have.property('code', 'WS_ERR_CONNECTION_LOST');
    });

    it('comes with a write that fails: later bytes would be wrong without it', async () => {
      const { bytes, ws } = open({ version: 'draft76' });
      ws.on('error', () => {});
      const failure = failureOf(bytes);
      const written = await new Promise((resolve) => bytes.write('bytes', resolve));
      expect(written).to.have.property('code', 'WS_ERR_UNSUPPORTED');
      expect(await failure).to.equal(written);
    });

    it('end(): waits for what the WebSocket has still to send, also if the program has ended that', async () => {
      const { bytes, ws, peer } = open();
      bytes.write('before');
      ws.end();
      bytes.end();
      await once(bytes, 'finish');
      expect(ws.writableFinished).to.equal(true);
      expect(await peer.toArray()).to.deep.equal([Buffer.from('before')]);
    });

    it('fails a write that comes after it alone', async () => {
      const { bytes, peer } = open();
      peer.resume().end();
      await once(bytes.resume(), 'close');
      const failure = new Promise<WebSocketError>((resolve) =>
        bytes.write('too late', (error) => resolve(error as WebSocketError)),
      );
      expect((await failure).code).to.equal('WS_ERR_NOT_OPEN');
    });

    it("does not end the process of a server by a peer's fault when nobody listens for 'error'", async () => {
      const { bytes, peer } = open();
      bytes.resume();
      peer.close(4000);
      // Not by once(), which listens for 'error' as well.
      await new Promise((resolve) => bytes.on('close', resolve));
      expect((bytes.errored as WebSocketError).closeCode).to.equal(4000);
    });

    it('is seen by finished() and pipeline()', async () => {
      const { bytes, peer } = open();
      const lost = new Promise<unknown>((resolve) => finished(bytes, resolve));
      bytes.resume();
      peer.abort();
      expect(await lost).to.have.property('code', 'WS_ERR_CONNECTION_LOST');
    });

    it('is the end of its web streams', async () => {
      const { bytes, peer } = open();
      const { readable, writable } = Duplex.toWeb(bytes) as { readable: ReadableStream; writable: WritableStream };
      const chain = readable.pipeThrough(new CompressionStream('gzip')).pipeTo(writable);
      peer.end('hello');
      expect(await text(peer.pipe(createGunzip()))).to.equal('hello');
      expect(await peer.whenClosed()).to.deep.equal(normal);
      await chain;
    });
  });
});

/** A server on a free port that calls back with each socket. */
async function listenOnNet(
  accept: (socket: Socket) => void,
  allowHalfOpen = false,
): Promise<Server & { port: number }> {
  const server = createServer({ allowHalfOpen }, accept).listen(0, 'localhost');
  await once(server, 'listening');
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

const closed = async (server: Server) => {
  server.close();
  await once(server, 'close');
};

describe('Programs for sockets, over a WebSocket', () => {
  it('a tunnel keeps the half-close of both ends: a TCP peer answers after the end of the other', async () => {
    const target = await listenOnNet(answerAtTheEnd, true);
    await using server = await listen((_request, response) => {
      const bytes = byteStream(response.webSocket?.connect() as WebSocket);
      const socket = openSocket({ port: target.port, host: 'localhost', allowHalfOpen: true });
      void Promise.all([pipeline(bytes, socket), pipeline(socket, bytes)]);
    });
    const entrance = await listenOnNet((socket) => {
      const bytes = byteStream(connect(`ws://localhost:${server.port}/`));
      void Promise.all([pipeline(socket, bytes), pipeline(bytes, socket)]);
    }, true);
    const client = openSocket({ port: entrance.port, host: 'localhost', allowHalfOpen: true });
    const sent = Buffer.alloc(1_000_000, 'abc');
    client.end(sent);
    expect((await buffer(client)).equals(Buffer.concat([sent, Buffer.from('that was all')]))).to.equal(true);
    await Promise.all([closed(entrance), closed(target)]);
  });

  /** Sends everything back, after the other side has ended. A loop would end both sides. */
  function answerAtTheEnd(socket: Socket): void {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => socket.end(Buffer.concat([...chunks, Buffer.from('that was all')])));
  }

  it('a tunnel cuts one end when the other is cut, as a reset does', async () => {
    const target = await listenOnNet((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await using server = await listen((_request, response) => {
      const bytes = byteStream(response.webSocket?.connect() as WebSocket);
      const socket = openSocket(target.port, 'localhost');
      pipeline(bytes, socket, bytes).catch(() => {});
    });
    const bytes = byteStream(connect(`ws://localhost:${server.port}/`));
    const failure = failureOf(bytes);
    bytes.resume().write('x');
    expect(await failure).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 1011 });
    await closed(target);
  });

  it('TLS, with its own end', async () => {
    const { key, cert } = createCertificate();
    const { bytes: serverBytes, peer } = open();
    const secure = new TLSSocket(serverBytes, { isServer: true, secureContext: createSecureContext({ key, cert }) });
    secure.pipe(secure);
    const client = tlsConnect({ socket: byteStream(peer), ca: cert, servername: 'localhost' });
    client.end('over TLS, over a WebSocket');
    expect(await text(client)).to.equal('over TLS, over a WebSocket');
  });

  it('HTTP: requests over a WebSocket', async () => {
    const http = createHttpServer((request, response) => request.pipe(response));
    const { bytes, peer } = open();
    http.emit('connection', bytes);
    const request = httpRequest({ method: 'POST', host: 'localhost', createConnection: () => byteStream(peer) });
    request.end('a body');
    const [response] = await once(request, 'response');
    expect(await text(response)).to.equal('a body');
    peer.destroy();
    bytes.destroy();
  });
});

describe('A byte stream piped into a WebSocket', () => {
  /** An echo over TCP. */
  let echo: Server & { port: number };

  beforeEach(async () => {
    echo = await listenOnNet((socket) => socket.pipe(socket));
  });
  afterEach(() => closed(echo));

  /** What a peer gets that sends these messages through `ws.pipe(socket).pipe(ws)`. */
  async function through(messages: readonly Message[], change: (socket: Socket) => Socket): Promise<Message[]> {
    const [ws, peer] = createPair();
    ws.pipe(change(openSocket(echo.port, 'localhost'))).pipe(ws);
    for (const message of messages) peer.write(message);
    peer.end();
    return peer.toArray();
  }

  it('ws.pipe(socket).pipe(ws): bytes come back as binary messages, cut where TCP cuts them', async () => {
    const answers = await through([Buffer.from('one'), Buffer.from('two')], (socket) => socket);
    expect(answers.every(Buffer.isBuffer)).to.equal(true);
    expect(Buffer.concat(answers as Buffer[]).toString()).to.equal('onetwo');
  });

  it('text goes into the socket as UTF-8, and comes back as binary messages', async () => {
    const answers = await through(['grün'], (socket) => socket);
    expect(answers.every(Buffer.isBuffer)).to.equal(true);
    expect(Buffer.concat(answers as Buffer[]).toString()).to.equal('grün');
  });

  it('after setEncoding() it comes back as text messages, whole characters each', async () => {
    const answers = await through(['grün'], (socket) => socket.setEncoding('utf8'));
    expect(answers.every((answer) => typeof answer === 'string')).to.equal(true);
    expect(answers.join('')).to.equal('grün');
  });

  it('through split2 each line comes back as a text message', async () => {
    const [ws, peer] = createPair();
    const socket = openSocket(echo.port, 'localhost');
    pipeline(ws, socket, split2(), ws).catch(() => {});
    peer.write('one\ntw');
    peer.end('o\n');
    expect(await peer.toArray()).to.deep.equal(['one', 'two']);
  });

  it('says what to do where the version of the protocol has only text', async () => {
    const [ws, peer] = createPair({ version: 'draft76' });
    const failure = failureOf(ws);
    peer.on('error', () => {}).resume();
    Readable.from([Buffer.from('bytes')]).pipe(ws);
    expect((await failure).message).to.match(/draft76 has no binary messages: write strings; .* setEncoding\('utf8'\)/);
    ws.destroy();
  });
});
