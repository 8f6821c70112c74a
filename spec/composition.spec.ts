import { spawn } from 'node:child_process';
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as openSocket, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as streams from 'node:stream';
import {
  addAbortSignal,
  pipeline as callbackPipeline,
  Duplex,
  finished,
  PassThrough,
  Readable,
  Transform,
  Writable,
} from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { pipeline, finished as whenFinished } from 'node:stream/promises';
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw, gunzipSync, gzipSync } from 'node:zlib';
import type { Aedes } from 'aedes';
import { expect } from 'chai';
import { connectAsync, type IClientOptions, MqttClient } from 'mqtt';
import split2 from 'split2';
import {
  byteStream,
  connect,
  createPair,
  type Message,
  type WebSocket,
  type WebSocketError,
} from '../lib/webSocketHandler';
import { listen, type TestServer } from './support/http';

/** Not in the types of Node 20. */
const { compose } = streams as unknown as { compose(...streams: unknown[]): Duplex };

/** What a promise rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<WebSocketError> {
  return promise.then(
    (value) => expect.fail(`it did not reject, but resolve with ${value}`),
    (error: WebSocketError) => error,
  );
}

const lost = { code: 'WS_ERR_CONNECTION_LOST', closeCode: 1006 };
const normal = { code: 1000, reason: '', wasClean: true };

const upperCase = () =>
  new Transform({
    objectMode: true,
    transform: (message: Message, _encoding, done) => done(null, message.toString().toUpperCase()),
  });

/** Lets bytes of every stage through, however many, and keeps them. */
class Collector extends Writable {
  readonly chunks: Message[] = [];

  constructor() {
    super({ objectMode: true });
  }

  override _write(chunk: Message, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  get text(): string {
    return this.chunks.join('');
  }
}

let folder: string;
const fileOf = (name: string) => join(folder, name);

/** A way to read a WebSocket to its end. */
interface Reading {
  readonly messages: readonly Message[];
  read(ws: WebSocket): Promise<unknown>;
  /** What that makes of the messages. */
  readonly result: unknown;
}

const key = Buffer.alloc(32, 'key');
const iv = Buffer.alloc(16, 'iv');
const cipher = createCipheriv('aes-256-cbc', key, iv);
const secret = Buffer.concat([cipher.update('a secret, larger than a block'), cipher.final()]);

const readings: Readonly<Record<string, Reading>> = {
  'pipeline() into a function, which has the last word': {
    messages: ['1', '2', '3'],
    read: (ws) =>
      pipeline(
        ws,
        async function* (messages: AsyncIterable<Message>) {
          for await (const message of messages) yield Number(message);
        },
        async (numbers: AsyncIterable<number>) => {
          let sum = 0;
          for await (const number of numbers) sum += number;
          return sum;
        },
      ),
    result: 6,
  },
  'pipeline() with a callback': {
    messages: ['a', 'b'],
    read: (ws) =>
      new Promise((resolve, reject) => {
        const target = new Collector();
        callbackPipeline(ws, upperCase(), target, (error) => (error ? reject(error) : resolve(target.chunks)));
      }),
    result: ['A', 'B'],
  },
  'finished() with a callback': {
    messages: ['a', 'b'],
    read: (ws) =>
      new Promise((resolve, reject) => {
        const messages: Message[] = [];
        ws.on('data', (message) => messages.push(message));
        finished(ws, (error) => (error ? reject(error) : resolve(messages)));
      }),
    result: ['a', 'b'],
  },
  'finished() for its readable side alone': {
    messages: ['a', 'b'],
    async read(ws) {
      const target = ws.pipe(new Collector());
      await whenFinished(ws, { writable: false });
      return target.chunks;
    },
    result: ['a', 'b'],
  },
  'stream.compose()': {
    messages: [Buffer.from('one\ntw'), Buffer.from('o\nthree')],
    // Of Transforms. Behind a generator, Node 22 tells nobody that the stream before it has failed, whatever that is.
    read: (ws) => compose(ws, split2(), upperCase()).toArray(),
    result: ['ONE', 'TWO', 'THREE'],
  },
  'ws.compose()': {
    messages: [Buffer.from('one\ntw'), Buffer.from('o\nthree')],
    read: (ws) => (ws.compose(split2()) as unknown as Readable).toArray(),
    result: ['one', 'two', 'three'],
  },
  'Readable.from()': {
    messages: ['text', Buffer.from('bytes'), ''],
    read: (ws) => Readable.from(ws).toArray(),
    result: ['text', Buffer.from('bytes'), ''],
  },
  'text() of stream/consumers': {
    messages: [Buffer.from([0xe2, 0x82]), Buffer.from([0xac])],
    read: text,
    result: '€',
  },
  'json() of stream/consumers': {
    messages: ['{"one":', '1}'],
    read: json,
    result: { one: 1 },
  },
  'split2, from binary messages of any size to lines': {
    messages: [Buffer.from('first li'), Buffer.from('ne\nsecond\r\nthi'), Buffer.alloc(0), Buffer.from('rd')],
    read: (ws) => pipeline(ws, split2(), async (lines: AsyncIterable<string>) => Readable.from(lines).toArray()),
    result: ['first line', 'second', 'third'],
  },
  'split2 with JSON.parse, to objects': {
    messages: [Buffer.from('{"a":1}\n{"b"'), Buffer.from(':2}\n')],
    read: (ws) =>
      pipeline(ws, split2(JSON.parse), async (objects: AsyncIterable<object>) => Readable.from(objects).toArray()),
    result: [{ a: 1 }, { b: 2 }],
  },
  'gunzip, of compressed bytes cut anywhere': {
    messages: [
      gzipSync('a long story'.repeat(1000)).subarray(0, 50),
      gzipSync('a long story'.repeat(1000)).subarray(50),
    ],
    read: (ws) => pipeline(ws, createGunzip(), text),
    result: 'a long story'.repeat(1000),
  },
  'a hash': {
    messages: ['hello ', Buffer.from('world')],
    read: (ws) => pipeline(ws, createHash('sha256').setEncoding('hex'), text),
    result: createHash('sha256').update('hello world').digest('hex'),
  },
  'a decipher': {
    messages: [secret.subarray(0, 20), secret.subarray(20)],
    read: (ws) => pipeline(ws, createDecipheriv('aes-256-cbc', key, iv), text),
    result: 'a secret, larger than a block',
  },
  'a file': {
    messages: ['text', Buffer.from(' and bytes')],
    async read(ws) {
      await pipeline(ws, createWriteStream(fileOf('received')));
      return readFileSync(fileOf('received'), 'utf8');
    },
    result: 'text and bytes',
  },
  'the transforms of the web': {
    messages: [gzipSync('compressed'), Buffer.alloc(0)],
    async read(ws) {
      const { readable } = Duplex.toWeb(ws) as { readable: ReadableStream };
      const plain = readable.pipeThrough(new DecompressionStream('gzip')).pipeThrough(new TextDecoderStream());
      return text(plain);
    },
    result: 'compressed',
  },
};

/** A way to write to a WebSocket, up to its end. */
interface Writing {
  write(ws: WebSocket, source: Readable): Promise<unknown>;
  /** What the peer makes of the messages that the bytes below become. Default: nothing. */
  understand?(messages: readonly Message[]): unknown;
  /** What that is. */
  readonly result: unknown;
}

const bytes = ['one\ntwo', '\nth', 'ree'].map((piece) => Buffer.from(piece));

const writings: Readonly<Record<string, Writing>> = {
  'pipeline() from a byte stream': {
    write: (ws, source) => pipeline(source, ws),
    result: bytes,
  },
  'pipeline() with a callback': {
    write: (ws, source) =>
      new Promise<void>((resolve, reject) => {
        callbackPipeline(source, new PassThrough(), ws, (error) => (error ? reject(error) : resolve()));
      }),
    result: bytes,
  },
  'pipeline() from a generator': {
    write: (ws, source) =>
      pipeline(async function* () {
        for await (const piece of source) yield `<${piece}>`;
      }, ws),
    result: bytes.map((piece) => `<${piece}>`),
  },
  'Readable.from()': {
    write: (ws, source) => pipeline(Readable.from(source), ws),
    result: bytes,
  },
  'the operators of a Readable': {
    write: (ws, source) =>
      pipeline(
        source.flatMap((piece: Buffer) => [String(piece).trim(), '-']).filter((message) => message !== 'th'),
        ws,
      ),
    result: ['one\ntwo', '-', '-', 'ree', '-'],
  },
  'split2, from bytes to a text message for each line': {
    write: (ws, source) => pipeline(source, split2(), ws),
    result: ['one', 'two', 'three'],
  },
  gzip: {
    write: (ws, source) => pipeline(source, createGzip(), ws),
    understand: (messages) => gunzipSync(Buffer.concat(messages as Buffer[])).toString(),
    result: 'one\ntwo\nthree',
  },
  'a cipher': {
    write: (ws, source) => pipeline(source, createCipheriv('aes-256-cbc', key, iv), ws),
    understand(messages) {
      const decipher = createDecipheriv('aes-256-cbc', key, iv);
      return decipher.update(Buffer.concat(messages as Buffer[])) + decipher.final('utf8');
    },
    result: 'one\ntwo\nthree',
  },
  'the transforms of the web': {
    write(ws, source) {
      const { writable } = Duplex.toWeb(ws) as { writable: WritableStream };
      const readable = Readable.toWeb(source) as ReadableStream;
      return readable.pipeThrough(new CompressionStream('gzip')).pipeTo(writable);
    },
    understand: (messages) => gunzipSync(Buffer.concat(messages as Buffer[])).toString(),
    result: 'one\ntwo\nthree',
  },
};

/** Lines of noise, which no compression makes small, without an end. */
function endless(): Readable {
  return Readable.from(
    (async function* () {
      for (;;) yield Buffer.from(`${randomBytes(5000).toString('hex')}\n`);
    })(),
  );
}

describe('Composition', () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'composition-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [what, { messages, read, result }] of Object.entries(readings)) {
    describe(`A WebSocket read by ${what}`, () => {
      it('is read to its clean end', async () => {
        const [peer, ws] = createPair();
        const reading = read(ws);
        for (const message of messages) peer.write(message);
        peer.end();
        expect(await reading).to.deep.equal(result);
        expect(await ws.whenClosed()).to.deep.equal(normal);
      });

      it('fails its reader when the connection is lost', async () => {
        const [peer, ws] = createPair();
        const failure = failureOf(read(ws));
        for (const message of messages) peer.write(message);
        // After the pong, all messages have been received, and only the Close frame is missing.
        await peer.ping();
        peer.abort();
        expect(await failure).to.include(lost);
      });
    });
  }

  for (const [what, { write, understand = (sent: readonly Message[]): unknown => sent, result }] of Object.entries(
    writings,
  )) {
    describe(`A WebSocket written by ${what}`, () => {
      it('sends a Close frame at the end of the source', async () => {
        const [peer, ws] = createPair();
        const [messages] = await Promise.all([peer.toArray(), write(ws, Readable.from(bytes)), ws.resume()]);
        expect(understand(messages)).to.deep.equal(result);
        expect(await peer.whenClosed()).to.deep.equal(normal);
      });

      it('fails its writer and the source when the connection is lost', async () => {
        const [peer, ws] = createPair();
        const source = endless();
        const sourceClosed = new Promise((resolve) => source.once('close', resolve));
        const failure = failureOf(write(ws, source));
        await once(peer, 'data');
        peer.abort();
        expect(await failure).to.include(lost);
        await sourceClosed;
      });
    });
  }

  describe('A WebSocket between two streams', () => {
    it('answers chunks of bytes with lines of text, through split2 and back into itself', async () => {
      const [server, client] = createPair();
      const serving = pipeline(server, split2(), server);
      client.write(Buffer.from('one\ntw'));
      client.end(Buffer.from('o\nthe rest'));
      expect(await client.toArray()).to.deep.equal(['one', 'two', 'the rest']);
      await serving;
    });

    it('carries a file that is compressed and encrypted on the way, or fails both ends', async () => {
      writeFileSync(fileOf('source'), randomBytes(500_000).toString('hex'));
      const send = (ws: WebSocket) =>
        pipeline(
          createReadStream(fileOf('source')),
          createDeflateRaw(),
          createCipheriv('aes-256-ctr', key, iv),
          ws.resume(),
        );
      const receive = (ws: WebSocket) =>
        pipeline(ws, createDecipheriv('aes-256-ctr', key, iv), createInflateRaw(), createWriteStream(fileOf('target')));
      const [server, client] = createPair();
      await Promise.all([send(client), receive(server)]);
      expect(readFileSync(fileOf('target')).equals(readFileSync(fileOf('source')))).to.equal(true);

      const [theirs, ours] = createPair();
      const failures = Promise.all([failureOf(send(ours)), failureOf(receive(theirs))]);
      await once(theirs, 'data');
      theirs.abort(new Error('the cable'));
      const [sending, receiving] = await failures;
      expect(sending).to.include(lost);
      expect(receiving.message).to.equal('the cable');
    });

    it('passes through a TransformStream of the web that became a Duplex', async () => {
      const double = () =>
        Duplex.fromWeb(
          new TransformStream<string, string>({
            transform: (text, output) => output.enqueue(String(Number(text) * 2)),
            flush: (output) => output.enqueue('that was all'),
          }),
          { objectMode: true },
        );
      const [server, client] = createPair();
      const serving = pipeline(server, double(), server);
      client.write('1');
      client.end('2');
      expect(await client.toArray()).to.deep.equal(['2', '4', 'that was all']);
      await serving;

      const [ours, theirs] = createPair();
      const failure = failureOf(pipeline(ours, double(), ours));
      theirs.write('1');
      await once(theirs, 'data');
      theirs.abort();
      expect(await failure).to.include(lost);
    });
  });

  describe('pipe() with { end: false }', () => {
    it('writes several sources into a WebSocket one after the other, and leaves end() to the program', async () => {
      const [peer, ws] = createPair();
      for (const part of [
        ['a', 'b'],
        ['c', 'd'],
      ]) {
        const source = Readable.from(part);
        source.pipe(ws, { end: false });
        await once(source, 'end');
      }
      ws.resume().end('bye');
      expect(await peer.toArray()).to.deep.equal(['a', 'b', 'c', 'd', 'bye']);
      expect(await ws.whenClosed()).to.deep.equal(normal);
    });

    it('pipes several WebSockets into one stream', async () => {
      const all = new Collector();
      for (const name of ['a', 'b']) {
        const [peer, ws] = createPair();
        ws.pipe(all, { end: false });
        peer.end(name);
        await whenFinished(ws);
      }
      all.end('end');
      await whenFinished(all);
      expect(all.chunks).to.deep.equal(['a', 'b', 'end']);
    });

    it('leaves the other stream open when the connection is lost, as pipe() does with every stream', async () => {
      const [peer, ws] = createPair();
      const [source, target] = [new PassThrough(), new Collector()];
      source.pipe(ws, { end: false });
      ws.pipe(target, { end: false });
      peer.write('before');
      await peer.ping();
      peer.abort();
      expect(await failureOf(whenFinished(ws))).to.include(lost);
      expect([source.destroyed, source.readableFlowing, target.destroyed]).to.deep.equal([false, false, false]);
      target.end('after');
      await whenFinished(target);
      expect(target.chunks).to.deep.equal(['before', 'after']);
    });
  });

  describe('addAbortSignal()', () => {
    it('ends a WebSocket and its reader, and the peer gets a Close frame that is not clean', async () => {
      const [peer, ws] = createPair();
      const control = new AbortController();
      const failure = failureOf(pipeline(addAbortSignal(control.signal, ws), new Collector()));
      const told = failureOf(whenFinished(peer.resume()));
      control.abort();
      expect((await failure).name).to.equal('AbortError');
      expect(await told).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 1011 });
    });

    it('does nothing to a WebSocket that has ended or was lost before', async () => {
      const control = new AbortController();
      const [[peer, ended], [vanished, failed]] = [createPair(), createPair()];
      for (const ws of [ended, failed]) addAbortSignal(control.signal, ws);
      const endings = [whenFinished(ended.resume()), failureOf(whenFinished(failed.resume()))] as const;
      peer.end();
      vanished.abort();
      const [, failure] = await Promise.all(endings);
      control.abort();
      expect(failure).to.include(lost);
      expect(ended.errored).to.equal(null);
    });
  });

  describe('The operators of a Readable', () => {
    it('end when the WebSocket ends', async () => {
      const [peer, ws] = createPair();
      for (const message of ['skipped', '1', '2', '3']) peer.write(message);
      peer.end();
      const sum = ws
        .drop(1)
        .map(Number)
        .reduce((before: number, number: number) => before + number, 0);
      expect(await sum).to.equal(6);
      expect(await ws.whenClosed()).to.deep.equal(normal);
    });

    it('destroy a WebSocket when they need no more messages, and the peer gets 1001', async () => {
      const [peer, ws] = createPair();
      const taken = Readable.from(['a', 'b', 'c', 'd']);
      taken.pipe(peer.resume(), { end: false });
      expect(await ws.take(2).toArray()).to.deep.equal(['a', 'b']);
      expect((await peer.whenClosed()).code).to.equal(1001);
      expect(ws.destroyed).to.equal(true);
    });

    it('fail when the connection is lost', async () => {
      for (const operate of [
        (ws: WebSocket) => ws.drop(1).map(String).toArray(),
        (ws: WebSocket) =>
          ws
            .filter((message: Message) => message !== '2')
            .take(10)
            .toArray(),
        (ws: WebSocket) => ws.reduce((sum: number, message: Message) => sum + Number(message), 0),
        (ws: WebSocket) => ws.forEach(() => {}),
      ]) {
        const [peer, ws] = createPair();
        const failure = failureOf(operate(ws));
        for (const message of ['1', '2', '3']) peer.write(message);
        await peer.ping();
        peer.abort();
        expect(await failure).to.include(lost);
      }
    });
  });

  describe('A TCP tunnel', () => {
    /** What is at its far end: a program that answers when it has everything, with a digest. */
    let target: Server;
    /** The two ends of the tunnel: a WebSocket server before the program, and a TCP server that programs connect to. */
    let exit: TestServer;
    let entry: Server;
    let tunnels: Promise<WebSocketError | undefined>[];

    /** The whole of it: each side's end ends the other, and each side's failure destroys the other. */
    const tunnel = (socket: Socket, ws: WebSocket) =>
      void tunnels.push(
        pipeline(socket, ws, socket).then(
          () => undefined,
          (error) => error,
        ),
      );

    // A TCP connection may end one way, and so may a WebSocket: after its Close it is still read.
    const halfOpen = { allowHalfOpen: true };
    const portOf = (server: Server) => (server.address() as AddressInfo).port;

    beforeEach(async () => {
      tunnels = [];
      target = createServer(halfOpen, (socket) => {
        // What becomes of it is the tunnel's to say.
        pipeline(socket, createHash('sha256').setEncoding('hex'), socket).catch(() => {});
      });
      await once(target.listen(0, '127.0.0.1'), 'listening');
      exit = await listen((_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        tunnel(openSocket({ port: portOf(target), host: '127.0.0.1', ...halfOpen }), ws);
      });
      entry = createServer(halfOpen, (socket) => tunnel(socket, connect(`ws://127.0.0.1:${exit.port}`)));
      await once(entry.listen(0, '127.0.0.1'), 'listening');
    });

    afterEach(async () => {
      await exit[Symbol.asyncDispose]();
      for (const server of [target, entry]) await once(server.close(), 'close');
    });

    it('carries the bytes and the ends of both sides', async () => {
      const question = randomBytes(1_000_000);
      const socket = openSocket({ port: portOf(entry), host: '127.0.0.1', ...halfOpen });
      socket.end(question);
      expect(await text(socket)).to.equal(createHash('sha256').update(question).digest('hex'));
      expect(await Promise.all(tunnels)).to.deep.equal([undefined, undefined]);
    });

    it('destroys the sockets at both ends when the WebSocket is lost', async () => {
      const atTarget = once(target, 'connection');
      const socket = openSocket({ port: portOf(entry), host: '127.0.0.1', ...halfOpen });
      socket.write('half a question');
      const [targetSocket] = (await atTarget) as [Socket];
      await once(targetSocket, 'data');
      const gone = [socket, targetSocket].map((end) => new Promise((resolve) => end.resume().once('close', resolve)));
      for (const ws of exit.handle.connections) ws.abort(new Error('the cable'));
      const failures = await Promise.all(tunnels);
      expect(failures[0]).to.include(lost);
      expect(failures[1]?.message).to.equal('the cable');
      socket.end();
      await Promise.all(gone);
    });
  });

  describe('A child process behind a WebSocket', () => {
    const program = () => spawn('tr', ['a-z', 'A-Z'], { stdio: ['pipe', 'pipe', 'inherit'] });

    it('reads the messages as its input, and its output is sent as messages', async () => {
      const codes: Promise<unknown[]>[] = [];
      await using server = await listen(async (_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        const child = program();
        codes.push(once(child, 'close'));
        await pipeline(ws, Duplex.from({ writable: child.stdin, readable: child.stdout }), ws);
      });
      const ws = connect(`ws://127.0.0.1:${server.port}`);
      ws.write('some text\n');
      // A program of lines: the end of its input is the end of the client's messages.
      ws.end(Buffer.from('some bytes'));
      expect(await text(ws)).to.equal('SOME TEXT\nSOME BYTES');
      expect(await ws.whenClosed()).to.deep.equal(normal);
      expect(await Promise.all(codes)).to.deep.equal([[0, null]]);
    });

    it('is ended when the connection is lost', async () => {
      const { promise: failure, resolve: fail } = withResolvers<WebSocketError>();
      const { promise: exited, resolve: exit } = withResolvers<unknown>();
      await using server = await listen((_request, response) => {
        const ws = response.webSocket?.connect() as WebSocket;
        const child = program();
        child.on('close', exit);
        fail(failureOf(pipeline(ws, Duplex.from({ writable: child.stdin, readable: child.stdout }), ws)));
      });
      const ws = connect(`ws://127.0.0.1:${server.port}`);
      ws.write('half a line');
      await once(ws, 'open');
      await ws.ping();
      ws.abort();
      expect(await failure).to.include(lost);
      await exited;
    });
  });

  describe('MQTT', () => {
    let broker: Aedes;
    let server: TestServer;
    let subprotocols: string[];

    beforeEach(async () => {
      const { Aedes } = await import('aedes');
      broker = await Aedes.createBroker();
      subprotocols = [];
      server = await listen((request, response) => {
        const ws = response.webSocket?.connect({ protocol: 'mqtt' }) as WebSocket;
        subprotocols.push(ws.protocol);
        broker.handle(byteStream(ws), request);
      });
    });

    afterEach(async () => {
      await new Promise<void>((resolve) => broker.close(resolve));
      await server[Symbol.asyncDispose]();
    });

    /** Its types do not say that it is an EventEmitter. */
    const next = (mqtt: MqttClient, event: string) => once(mqtt as unknown as EventEmitter, event);

    interface OpenClient {
      readonly mqtt: MqttClient;
      /** All the connections that it has had. */
      readonly webSockets: readonly WebSocket[];
    }

    /** The MQTT client on a WebSocket of ours. */
    async function open(options: IClientOptions = {}): Promise<OpenClient> {
      const webSockets: WebSocket[] = [];
      const mqtt = new MqttClient(
        () => {
          const ws = connect(`ws://127.0.0.1:${server.port}`, { protocols: ['mqtt'] });
          webSockets.push(ws);
          return byteStream(ws) as MqttClient['stream'];
        },
        { reconnectPeriod: 0, ...options },
      );
      await next(mqtt, 'connect');
      return { mqtt, webSockets };
    }

    /** Subscribes, publishes, and returns what comes back. */
    async function converse(mqtt: MqttClient): Promise<unknown> {
      await mqtt.subscribeAsync('grüße/#', { qos: 1 });
      const received = next(mqtt, 'message');
      await mqtt.publishAsync('grüße/welt', 'x'.repeat(100_000), { qos: 1 });
      const [topic, payload, { qos }] = await received;
      return { topic, size: payload.length, qos };
    }

    const answer = { topic: 'grüße/welt', size: 100_000, qos: 1 };

    it('works with its client and its broker on our WebSockets, and ends cleanly', async () => {
      const { mqtt, webSockets } = await open();
      expect(await converse(mqtt)).to.deep.equal(answer);
      const [ws] = webSockets;
      const outcomes = [...server.handle.connections, ws].map((end) => end?.whenClosed());
      await mqtt.endAsync();
      expect(await Promise.all(outcomes)).to.deep.equal([normal, normal]);
      expect([subprotocols, ws?.protocol]).to.deep.equal([['mqtt'], 'mqtt']);
    });

    it('works with the WebSocket client of the mqtt package', async () => {
      const mqtt = await connectAsync(`ws://127.0.0.1:${server.port}`, { reconnectPeriod: 0 });
      expect(await converse(mqtt)).to.deep.equal(answer);
      const [outcome] = [...server.handle.connections].map((ws) => ws.whenClosed());
      await mqtt.endAsync();
      expect((await outcome)?.wasClean).to.equal(true);
    });

    it('publishes the will of a client whose connection is lost, and not of one that has ended cleanly', async () => {
      const { mqtt: watcher } = await open();
      await watcher.subscribeAsync('wills');
      const wills = next(watcher, 'message');
      const willOf = (name: string) => ({ will: { topic: 'wills', payload: Buffer.from(name), qos: 1 as const } });

      const polite = await open(willOf('polite'));
      const left = once(broker, 'clientDisconnect');
      await polite.mqtt.endAsync();
      await left;

      const broken = await open(willOf('broken'));
      const failure = once(broker, 'clientError');
      broken.webSockets[0]?.abort(new Error('the cable'));
      expect((await failure)[1]).to.include(lost);
      expect(String((await wills)[1])).to.equal('broken');
      await Promise.all([broken.mqtt.endAsync(), watcher.endAsync()]);
    });

    it('is connected again by its client when the connection is lost, with its subscriptions', async () => {
      const { mqtt, webSockets } = await open({ reconnectPeriod: 1 });
      await mqtt.subscribeAsync('news', { qos: 1 });
      const failure = next(mqtt, 'error');
      const resubscribed = once(broker, 'subscribe');
      for (const ws of server.handle.connections) ws.abort(new Error('the cable'));
      expect((await failure)[0]).to.include(lost);
      await resubscribed;
      expect(webSockets).to.have.length(2);
      const received = next(mqtt, 'message');
      await mqtt.publishAsync('news', 'we are back', { qos: 1 });
      expect(String((await received)[1])).to.equal('we are back');
      await mqtt.endAsync();
    });
  });
});

/** A promise, and what settles it. */
function withResolvers<T>(): { promise: Promise<T>; resolve(value: T | PromiseLike<T>): void } {
  let resolve: (value: T | PromiseLike<T>) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
