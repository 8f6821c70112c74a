import { once } from 'node:events';
import { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { type ConnectionOptions, connect, createPair, type Message } from '../../lib/webSocketHandler';
import { listen, RawClient } from '../support/http';
import { RawPeer } from '../support/rawPeer';
import { thrownBy } from '../support/thrown';

/** What the transport of these specs holds. */
const held = 20_000;

/** A peer that takes nothing, and a transport that is full. */
async function jam(options: ConnectionOptions = {}): Promise<RawPeer> {
  const peer = new RawPeer('server', { ...options, reads: false });
  expect(peer.webSocket.write(Buffer.alloc(held))).to.equal(true);
  await turn();
  return peer;
}

/** How many messages a program can write to it until `write()` returns false, that one included. */
async function writesUntilFalse(message: Message, options?: ConnectionOptions): Promise<number> {
  const { webSocket } = await jam(options);
  let count = 1;
  while (webSocket.write(message)) count++;
  webSocket.abort();
  return count;
}

describe('The write queue while the transport is full', () => {
  it('accepts 2 messages, or 64 KiB of memory including the bytes in the transport', async () => {
    expect(await writesUntilFalse('small')).to.equal(2);
    expect(await writesUntilFalse(Buffer.alloc(45_000))).to.equal(2);
    expect(await writesUntilFalse(Buffer.alloc(46_000))).to.equal(1);
    // A character may take two bytes.
    expect(await writesUntilFalse('x'.repeat(22_000))).to.equal(2);
    expect(await writesUntilFalse('x'.repeat(23_000))).to.equal(1);
  });

  it('has the marks of the option writableHighWaterMark', async () => {
    expect(await writesUntilFalse('small', { writableHighWaterMark: { messages: 1 } })).to.equal(1);
    expect(await writesUntilFalse('small', { writableHighWaterMark: { messages: 50 } })).to.equal(50);
    const bytes = held + 10 * 1000;
    expect(await writesUntilFalse(Buffer.alloc(1000), { writableHighWaterMark: { messages: 50, bytes } })).to.equal(9);
    expect(await writesUntilFalse('small', { writableHighWaterMark: { bytes: 1 } })).to.equal(1);
  });

  it('has the marks of highWaterMark, which the option for one side overrides', async () => {
    const marks = (options: ConnectionOptions) => {
      const { webSocket } = new RawPeer('server', options);
      webSocket.abort();
      return [webSocket.readableHighWaterMark, webSocket.writableHighWaterMark];
    };
    expect(marks({ highWaterMark: { messages: 7 }, writableHighWaterMark: { messages: 3 } })).to.deep.equal([7, 3]);
    expect(marks({ highWaterMark: { messages: 7 }, readableHighWaterMark: { messages: 3 } })).to.deep.equal([3, 7]);
    expect(marks({ readableHighWaterMark: { messages: 3 } })).to.deep.equal([3, 2]);
    expect(await writesUntilFalse('small', { highWaterMark: { messages: 4 } })).to.equal(4);
    const options = { highWaterMark: { messages: 4, bytes: 1 }, writableHighWaterMark: { bytes: 100_000 } };
    expect(await writesUntilFalse('small', options)).to.equal(4);
  });

  it('counts the bytes in the transport: one message may reach the mark', async () => {
    const { webSocket } = new RawPeer('server', { reads: false });
    expect(webSocket.write(Buffer.alloc(100_000))).to.equal(false);
    expect([webSocket.writableLength, webSocket.writableNeedDrain]).to.deep.equal([0, true]);
    webSocket.abort();
  });

  it('does not fill while the transport accepts messages', async () => {
    const peer = new RawPeer('server', { highWaterMark: { messages: 1, bytes: 1 } });
    for (let i = 0; i < 1000; i++) expect(peer.webSocket.write('small')).to.equal(true);
    await peer.until(() => peer.frames.length === 1000);
    peer.webSocket.abort();
  });

  it('has the same marks before the connection is open', async () => {
    await using server = await listen((_request, response) => {
      response.webSocket?.connect().resume();
    });
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { writableHighWaterMark: { messages: 3 } });
    expect([ws.write('1'), ws.write('2'), ws.write('3')]).to.deep.equal([true, true, false]);
    await once(ws, 'drain');
    expect(ws.writableNeedDrain).to.equal(false);
    ws.end();
    expect((await ws.whenClosed()).wasClean).to.equal(true);
  });

  it('has the marks of connect(), which override those of the server, as the read queue', async () => {
    const seen: unknown[] = [];
    await using server = await listen(
      (_request, response) => {
        const { webSocket } = response;
        const before = [webSocket?.readableHighWaterMark, webSocket?.writableHighWaterMark];
        const ws = webSocket?.connect({
          readableHighWaterMark: { messages: 2 },
          writableHighWaterMark: { messages: 9 },
        });
        seen.push(before, [ws?.readableHighWaterMark, ws?.writableHighWaterMark]);
      },
      { highWaterMark: { messages: 5 } },
    );
    using _client = await RawClient.open(server.port);
    expect(seen).to.deep.equal([
      [5, 5],
      [2, 9],
    ]);
  });

  it('does not pass its marks to a connection of the agent', async () => {
    await using server = await listen((_request, response) => {
      response.webSocket?.connect().end('hello');
    });
    const marks = { messages: 1, bytes: 1 };
    const ws = connect(`ws://127.0.0.1:${server.port}/`, {
      readableHighWaterMark: marks,
      writableHighWaterMark: marks,
    });
    expect(await ws.toArray()).to.deep.equal(['hello']);
  });

  it('names an invalid option in its error', () => {
    for (const name of ['highWaterMark', 'readableHighWaterMark', 'writableHighWaterMark']) {
      expect(thrownBy(() => createPair({ [name]: 5 })).message).to.include(`${name} must be an object`);
      expect(thrownBy(() => createPair({ [name]: { bytes: 0 } })).message).to.include(
        `${name}.bytes must be a positive`,
      );
      expect(thrownBy(() => createPair({ [name]: { byte: 5 } })).message).to.include(`unknown option ${name}.byte;`);
    }
  });
});

describe("'drain'", () => {
  it('is emitted once, when no message waits and the transport accepts bytes again', async () => {
    const peer = await jam();
    const { webSocket } = peer;
    const events: string[] = [];
    const done = (name: string) => () => events.push(name);
    expect(webSocket.write('one', done('one'))).to.equal(true);
    expect(webSocket.write('two', done('two'))).to.equal(false);
    expect(webSocket.write('three', done('three'))).to.equal(false);
    expect(webSocket.writableNeedDrain).to.equal(true);
    webSocket.on('drain', () => events.push(`drain, ${webSocket.writableLength} waiting`));
    peer.stream.resume();
    await once(webSocket, 'drain');
    for (let i = 0; i < 10; i++) await turn();
    expect(events.filter((event) => event !== 'drain, 0 waiting')).to.deep.equal(['one', 'two', 'three']);
    expect(events).to.have.lengthOf(4);
    expect(webSocket.writableNeedDrain).to.equal(false);
    webSocket.abort();
  });

  it('is not emitted if write() has not returned false', async () => {
    const peer = await jam();
    peer.webSocket.on('drain', () => expect.fail('nobody waits for it'));
    await new Promise<unknown>((done) => {
      peer.webSocket.write('one', done);
      peer.stream.resume();
    });
    for (let i = 0; i < 10; i++) await turn();
    peer.webSocket.abort();
  });

  it('is emitted after uncork(), and not inside of it', async () => {
    const { webSocket } = new RawPeer('server');
    webSocket.cork();
    expect([webSocket.write('one'), webSocket.write('two')]).to.deep.equal([true, false]);
    expect(webSocket.bufferedAmount).to.equal(6);
    let inside = true;
    const drained = once(webSocket, 'drain').then(() => inside);
    webSocket.uncork();
    inside = false;
    expect(await drained).to.equal(false);
    expect(webSocket.writableNeedDrain).to.equal(false);
    webSocket.abort();
  });

  it('is emitted after a message that is a stream', async () => {
    const peer = new RawPeer('server', { writableHighWaterMark: { messages: 1 } });
    expect(peer.webSocket.write(Readable.from(['one ', 'message']))).to.equal(false);
    await once(peer.webSocket, 'drain');
    peer.webSocket.abort();
  });

  it('is emitted when a large message has been compressed', async () => {
    const [server, client] = createPair({ perMessageDeflate: true });
    client.resume();
    expect(server.write('x'.repeat(100_000))).to.equal(false);
    await once(server, 'drain');
    expect(server.bufferedAmount).to.be.below(100_000);
    server.abort();
    client.on('error', () => {});
    await client.whenClosed();
  });

  it('is emitted also after end(), because a pipe must read its source to the end', async () => {
    const peer = await jam();
    const { webSocket } = peer;
    let drains = 0;
    webSocket.on('drain', () => drains++);
    while (webSocket.write('small'));
    webSocket.end();
    expect(webSocket.writableNeedDrain).to.equal(false);
    peer.stream.resume();
    await once(webSocket, 'finish');
    for (let i = 0; i < 10; i++) await turn();
    expect(drains).to.equal(1);
    webSocket.abort();
  });
});

describe('A source whose WebSocket is full', () => {
  const sources: Record<string, (source: Readable, ws: Duplex) => Promise<unknown>> = {
    'pipe()': async (source, ws) => source.pipe(ws),
    'pipeline()': (source, ws) => pipeline(source, ws),
    'a web stream': (source, ws) => Readable.toWeb(source).pipeTo(Duplex.toWeb(ws).writable),
  };
  for (const [how, connectTo] of Object.entries(sources)) {
    it(`pauses, and goes on when it has drained: ${how}`, async () => {
      const peer = await jam({ writableHighWaterMark: { messages: 1 } });
      let produced = 0;
      const source = new Readable({
        objectMode: true,
        highWaterMark: 1,
        read() {
          this.push(produced++ < 100 ? 'x'.repeat(1000) : null);
        },
      });
      // Before Node 24 a web stream takes the end of a Duplex for an abort.
      const over = connectTo(source, peer.webSocket).catch(({ name }) => expect(name).to.equal('AbortError'));
      for (let i = 0; i < 50; i++) await turn();
      expect(produced).to.be.below(10);
      peer.stream.resume();
      await once(peer.webSocket, 'finish');
      expect(produced).to.equal(101);
      peer.webSocket.abort();
      await over;
    });
  }
});
