import { once } from 'node:events';
import { Readable, Transform, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { connect, createPair, type Message, type PairOptions, type WebSocket } from '../../lib/webSocketHandler';
import { retainedBytes } from '../support/garbage';
import { listen } from '../support/http';
import { RawPeer, rawFrame } from '../support/rawPeer';
import { thrownBy } from '../support/thrown';

const kibibyte = 1024;

/** Waits until nothing moves any more. */
async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await turn();
}

/** How many messages wait in front of a reader that does not come, of those that a peer would send without end. */
async function readAhead(message: Message, highWaterMark?: PairOptions['highWaterMark']): Promise<number> {
  const peer = new RawPeer('server', highWaterMark ? { highWaterMark } : {});
  const first = typeof message === 'string' ? 0x81 : 0x82;
  // More than any mark, and no more work than that takes.
  const count = message.length > 100_000 ? 15 : 200;
  for (let i = 0; i < count; i++) peer.send(first, message as Buffer);
  await settle();
  const waiting = peer.webSocket.readableLength;
  peer.webSocket.abort();
  return waiting;
}

describe('The read queue of a WebSocket', () => {
  it('keeps up to 16 messages, or 64 KiB of memory', async () => {
    expect(await readAhead('small')).to.equal(16);
    expect(await readAhead(Buffer.alloc(10 * kibibyte))).to.equal(7);
    // A character may take two bytes.
    expect(await readAhead('x'.repeat(10 * kibibyte))).to.equal(4);
    // There is room for one, however large.
    expect(await readAhead(Buffer.alloc(1000 * kibibyte))).to.equal(1);
  });

  it('has the marks of the option highWaterMark', async () => {
    expect(await readAhead('small', { messages: 3 })).to.equal(3);
    expect(await readAhead('small', { messages: 1, bytes: 1 })).to.equal(1);
    expect(await readAhead(Buffer.alloc(kibibyte), { messages: 100, bytes: 20 * kibibyte })).to.equal(18);
    expect(await readAhead(Buffer.alloc(100 * kibibyte), { bytes: 1_000_000 })).to.equal(10);
  });

  it('has the same marks on a client, whose socket has its own', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      for (let i = 0; i < 50; i++) ws?.write(`message ${i}`);
    });
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { highWaterMark: { messages: 3 } });
    await once(ws, 'open');
    while (ws.readableLength < 3) await turn();
    await settle();
    expect(ws.readableLength).to.equal(3);
    ws.abort();
  });

  it('reads on when the reader has read enough messages, in every way of reading', async () => {
    for (const read of [
      async (ws: WebSocket, count: number) => {
        const messages: Message[] = [];
        for await (const message of ws) if (messages.push(message) === count) break;
        return messages;
      },
      async (ws: WebSocket, count: number) => {
        const messages: Message[] = [];
        while (messages.length < count) {
          const message = ws.read() as Message | null;
          if (message === null) await once(ws, 'readable');
          else messages.push(message);
        }
        return messages;
      },
      async (ws: WebSocket, count: number) => ws.take(count).toArray(),
    ]) {
      const peer = new RawPeer('server');
      peer.webSocket.on('error', () => {});
      const sent = Array.from({ length: 50 }, (_, i) => Buffer.alloc(20 * kibibyte, i));
      for (const message of sent) peer.send(0x82, message);
      await settle();
      expect(peer.webSocket.readableLength).to.equal(4);
      expect(await read(peer.webSocket, 50)).to.deep.equal(sent);
      peer.webSocket.abort();
    }
  });

  it('keeps the order if the reader pauses and resumes at any message', async () => {
    const [server, client] = createPair({ highWaterMark: { messages: 4, bytes: 1000 } });
    const sent = Array.from({ length: 500 }, (_, i) => (i % 3 === 0 ? `${i}` : `${i} `.repeat(50)));
    const received: Message[] = [];
    server.on('data', (message: Message) => {
      received.push(message);
      if (received.length % 7 === 0) {
        server.pause();
        setImmediate(() => server.resume());
      }
    });
    Readable.from(sent).pipe(client);
    await once(server, 'end');
    expect(received).to.deep.equal(sent);
  });

  it('keeps the order at the last message', async () => {
    const peer = new RawPeer('server', { highWaterMark: { bytes: 1 } });
    const received: Message[] = [];
    peer.webSocket.on('readable', () => {
      for (let message = peer.webSocket.read(); message !== null; message = peer.webSocket.read())
        received.push(message as Message);
    });
    peer.write(
      Buffer.concat([rawFrame(0x81, Buffer.from('one'), 'client'), rawFrame(0x81, Buffer.from('two'), 'client')]),
    );
    peer.send(0x88);
    await once(peer.webSocket, 'end');
    expect(received).to.deep.equal(['one', 'two']);
  });

  it('names an invalid option in its error', () => {
    for (const [highWaterMark, complaint] of [
      [5, 'highWaterMark must be an object'],
      [{ messages: 0 }, 'highWaterMark.messages must be a positive integer'],
      [{ bytes: 1.5 }, 'highWaterMark.bytes must be a positive integer'],
      [{ byte: 5 }, 'unknown option highWaterMark.byte; did you mean highWaterMark.bytes?'],
    ] as const) {
      expect(thrownBy(() => createPair({ highWaterMark: highWaterMark as object })).message).to.include(complaint);
    }
  });
});

describe('A thousand pairs of which one side does not read', () => {
  it('stay within their marks, and their sources are paused', async () => {
    const message = Buffer.alloc(16 * kibibyte, 'x');
    const count = 1000;
    const before = await retainedBytes();
    const produced: number[] = [];
    const pairs = Array.from({ length: count }, (_, i) => {
      const [server, client] = createPair();
      produced[i] = 0;
      const source = new Readable({
        objectMode: true,
        highWaterMark: 1,
        read() {
          produced[i] = (produced[i] as number) + 1;
          this.push(message);
        },
      });
      source.pipe(client);
      client.on('error', () => {});
      return [server, client] as const;
    });
    await settle();
    const after = [...produced];
    await settle();
    expect(produced).to.deep.equal(after);
    // What is read ahead, a chunk that is being decoded, and what the byte streams between hold.
    expect(Math.max(...produced)).to.be.below(20);
    expect((await retainedBytes()) - before).to.be.below(count * 300 * kibibyte);
    for (const [server, client] of pairs) {
      server.abort();
      client.abort();
    }
    await Promise.all(pairs.flat().map((ws) => ws.whenClosed()));
  }).timeout(20_000);

  it('free the memory of messages that were read when the reader goes on', async () => {
    const [server, client] = createPair();
    const slow = new Transform({
      objectMode: true,
      highWaterMark: 1,
      transform: (message, _encoding, done) => setImmediate(done, null, message),
    });
    let received = 0;
    server.pipe(slow).pipe(
      new Writable({
        objectMode: true,
        write(_message, _encoding, done) {
          received++;
          done();
        },
      }),
    );
    Readable.from(Array.from({ length: 300 }, () => Buffer.alloc(16 * kibibyte))).pipe(client);
    await once(slow, 'end');
    expect(received).to.equal(300);
  });
});
