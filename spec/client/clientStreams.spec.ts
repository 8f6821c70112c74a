import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { connect, type Message, type WebSocketError } from '../../lib/webSocketHandler';
import { listen, type TestServer } from '../support/http';

const mebibyte = 1024 * 1024;

describe('A WebSocket of connect() among other streams', () => {
  let folder: string;
  let file: string;
  let server: TestServer;
  let url: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'streams-'));
    file = join(folder, 'source');
    writeFileSync(file, Buffer.from(Array.from({ length: 5 * mebibyte }, (_, i) => (i * 7919) >> 3)));
    server = await listen((request, response) => {
      if (request.url === '/refuse') return void response.writeHead(403).end();
      const ws = response.webSocket?.connect();
      if (request.url === '/cut') ws?.once('data', () => ws.abort());
      else ws?.pipe(ws);
    });
    url = `ws://127.0.0.1:${server.port}`;
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

  it('works between two files in a pipeline()', async () => {
    const copy = join(folder, 'copy');
    const ws = connect(url);
    await pipeline(createReadStream(file), ws, createWriteStream(copy));
    expect(digest(copy)).to.equal(digest(file));
    expect((await ws.whenClosed()).wasClean).to.equal(true);
  });

  it('fails the pipeline() and destroys the other streams when it is refused or lost', async () => {
    for (const [path, code] of [
      ['/refuse', 'WS_ERR_HANDSHAKE_REFUSED'],
      ['/cut', 'WS_ERR_CONNECTION_LOST'],
    ] as const) {
      const source = createReadStream(file);
      const target = createWriteStream(join(folder, 'part'));
      const error = await pipeline(source, connect(`${url}${path}`), target).then(
        () => undefined,
        (cause: WebSocketError) => cause,
      );
      expect([error?.code, source.destroyed, target.destroyed]).to.deep.equal([code, true, true]);
    }
  });

  it('can be read by for await and by the operators of Readable', async () => {
    const ws = connect(url);
    for (const word of ['one', 'two', 'three']) ws.write(word);
    const echoes: Message[] = [];
    for await (const message of ws) {
      echoes.push(message);
      if (echoes.length === 3) ws.end();
    }
    expect(echoes).to.deep.equal(['one', 'two', 'three']);

    const other = connect(url);
    Readable.from(['a', 'b', 'c', 'd']).pipe(other);
    const shouted = await other
      .filter((message: Message) => message !== 'c')
      .map((message: Message) => String(message).toUpperCase())
      .take(2)
      .toArray();
    expect(shouted).to.deep.equal(['A', 'B']);
  });

  it('can be converted to a pair of web streams', async () => {
    const { readable, writable } = Duplex.toWeb(connect(url)) as { readable: ReadableStream; writable: WritableStream };
    const writer = writable.getWriter();
    const reader = readable.getReader();
    for (const message of ['text', Buffer.from('bytes')]) {
      await writer.write(message);
      expect((await reader.read()).value).to.deep.equal(message);
    }
    await writer.close();
    expect((await reader.read()).done).to.equal(true);
  });

  it('can be piped through web transforms', async () => {
    const { readable, writable } = Duplex.toWeb(connect(url)) as { readable: ReadableStream; writable: WritableStream };
    const numbers = new TransformStream({ transform: (text, output) => output.enqueue(Number(text) * 2) });
    const sum: number[] = [];
    await Promise.all([
      ReadableStream.from(['1', '2', '3']).pipeTo(writable),
      readable.pipeThrough(numbers).pipeTo(new WritableStream({ write: (number) => void sum.push(number) })),
    ]);
    expect(sum).to.deep.equal([2, 4, 6]);
  });

  it('rejects the web streams when it is refused', async () => {
    const { readable } = Duplex.toWeb(connect(`${url}/refuse`)) as { readable: ReadableStream };
    const error = await readable
      .getReader()
      .read()
      .catch((cause) => cause);
    expect(error.code).to.equal('WS_ERR_HANDSHAKE_REFUSED');
  });

  it('pauses a source until it is open', async () => {
    let produced = 0;
    const source = Readable.from(
      (function* () {
        for (; produced < 1000; produced++) yield `message ${produced}`;
      })(),
    );
    // A server that answers only when it is asked to.
    let answer = () => {};
    await using slow = await listen((_request, response) => {
      answer = () => void response.webSocket?.connect().pipe(new Writable({ objectMode: true, write: count }));
    });
    let received = 0;
    function count(_message: Message, _encoding: string, done: () => void): void {
      received++;
      done();
    }
    const ws = connect(`ws://127.0.0.1:${slow.port}`);
    source.pipe(ws);
    await once(slow.server, 'upgrade');
    expect(produced).to.be.below(50);
    expect(ws.bufferedAmount).to.be.above(0);
    answer();
    await ws.whenClosed();
    expect([received, produced]).to.deep.equal([1000, 1000]);
  });

  it('does not change the written bytes when it masks them', async () => {
    const ws = connect(url, { perMessageDeflate: false });
    const sent = [1, 47, 48, 125, 126, 1000, 65_535, 65_536, 1_000_000].map((size) => Buffer.alloc(size, 'payload'));
    const before = sent.map((message) => Buffer.from(message));
    for (const message of sent) ws.write(message);
    const echoes: Message[] = [];
    for await (const message of ws) if (echoes.push(message) === sent.length) ws.end();
    expect(sent).to.deep.equal(before);
    expect(echoes).to.deep.equal(before);
  });
});
