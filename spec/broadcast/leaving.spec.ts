import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { BroadcastStream, createPair, type WebSocket } from '../../lib/webSocketHandler';
import { endingOf, inVirtualTime, openBoth, openRaw, pass } from '../support/virtually';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const ends: Record<string, (ws: WebSocket, peer: WebSocket) => void> = {
  'abort()': (ws) => ws.abort(),
  'destroy(error)': (ws) => void ws.destroy(new Error('enough')),
  'a reset of the peer': (_ws, peer) => peer.abort(),
  "the peer's Close 4000": (_ws, peer) => peer.close(4000),
};

const members = 200;

/** Pipes many WebSockets into the destination, ends them all, and returns references to them that keep nothing. */
async function fill(destination: NodeJS.WritableStream, end: (typeof ends)[string]): Promise<WeakRef<WebSocket>[]> {
  const references: WeakRef<WebSocket>[] = [];
  const endings: Promise<unknown>[] = [];
  for (let i = 0; i < members; i++) {
    const [ws, peer] = createPair({ heartbeat: false });
    peer.on('error', () => {}).resume();
    endings.push(endingOf(ws), endingOf(peer));
    ws.pipe(destination, { end: false });
    if (destination instanceof BroadcastStream) destination.add(ws);
    end(ws, peer);
    references.push(new WeakRef(ws));
  }
  await Promise.all(endings);
  return references;
}

/** How many are still referred to, when that number has stopped falling. */
async function reachable(references: readonly WeakRef<WebSocket>[]): Promise<number> {
  let least = references.length;
  for (let unchanged = 0; unchanged < 5; unchanged++) {
    await turn();
    collect();
    const count = references.filter((reference) => reference.deref() !== undefined).length;
    if (count < least) unchanged = 0;
    least = Math.min(least, count);
  }
  return least;
}

describe('ws.pipe(room, { end: false })', () => {
  for (const [name, end] of Object.entries(ends)) {
    for (const room of [() => new BroadcastStream(), () => new PassThrough({ objectMode: true })]) {
      const kind = room().constructor.name;
      it(`keeps no WebSocket after ${name}, and warns of nothing (${kind} as the room)`, async () => {
        const warnings: Error[] = [];
        const note = (warning: Error) => void warnings.push(warning);
        process.on('warning', note);
        try {
          const destination = room();
          destination.on('data', () => {});
          const references = await fill(destination, end);
          // One or two may be on the stack still.
          expect(await reachable(references)).to.be.at.most(2);
          const left = destination.eventNames().filter((event) => event !== 'data' && event !== 'prefinish');
          expect(left.map((event) => [event, destination.listenerCount(event)])).to.deep.equal([]);
          if (destination instanceof BroadcastStream) {
            expect(destination.members.size).to.equal(0);
            expect(warnings).to.deep.equal([]);
          }
          destination.destroy();
        } finally {
          process.off('warning', note);
        }
      });
    }
  }

  it('unpipes a message that is received as a stream when it is destroyed', async () => {
    const [server, client] = createPair({ messages: 'stream', heartbeat: false });
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    client.on('error', () => {}).resume();
    server.on('error', () => {});
    const unpiped = new Promise<void>((resolve) => sink.on('unpipe', () => resolve()));
    server.on('message', (message) => {
      message.pipe(sink, { end: false });
      server.abort();
    });
    client.write(
      (async function* () {
        yield 'half of a';
        await new Promise(() => {});
      })(),
    );
    await unpiped;
    await server.whenClosed();
    expect(sink.listenerCount('drain')).to.equal(0);
  });
});

describe('A member of a broadcast that does not read', () => {
  it('is ended by sendTimeout with the policy wait, so that the other members go on', () =>
    inVirtualTime(async (time) => {
      const [stalled, silent] = createPair({ heartbeat: false, sendTimeout: 5000 });
      const [member, client] = createPair({ heartbeat: false, sendTimeout: 5000 });
      const room = new BroadcastStream();
      room.add(stalled).add(member);
      stalled.resume();
      member.resume();
      const failure = endingOf(stalled);
      const received: unknown[] = [];
      client.on('message', (message) => received.push(message));
      silent.on('error', () => {}).pause();
      client.on('error', () => {});
      const count = 400;
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => room.write(`${i} ${'x'.repeat(1024)}`, resolve));
      }
      expect((await failure).error?.code).to.equal('WS_ERR_SEND_TIMEOUT');
      expect(time.now).to.be.below(12_000);
      await pass(2000);
      expect(received.length).to.equal(count);
      member.destroy();
      silent.abort();
      await Promise.all([client.whenClosed(), silent.whenClosed()]);
    }));

  for (const transport of ['pair', 'HTTP/1.1', 'HTTP/2'] as const) {
    it(`frees the others at once when it is destroyed, with the policy wait, over ${transport}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth({ transport, role: 'server' });
        const { ws, peer } = connection;
        peer.on('error', () => {}).pause();
        ws.on('error', () => {}).resume();
        const room = new BroadcastStream().add(ws);
        let lags = false;
        room.on('lagging', () => {
          lags = true;
        });
        let written: Promise<unknown> = Promise.resolve();
        while (!lags) {
          written = new Promise((resolve) => room.write('x'.repeat(256 * 1024), resolve));
          await turn();
        }
        const before = time.now;
        ws.destroy();
        await written;
        expect(room.members.size).to.equal(0);
        expect(time.now - before).to.be.below(200);
        peer.abort();
        await Promise.all([ws.whenClosed(), peer.whenClosed()]);
      }));
  }

  it('stays open with the policy wait as long as it reads slowly', () =>
    inVirtualTime(async (time) => {
      const [slow, reader] = createPair({ heartbeat: false, sendTimeout: 3000 });
      const room = new BroadcastStream().add(slow);
      slow.resume();
      let read = 0;
      const reading = (async () => {
        for await (const _ of reader) {
          read++;
          await pass(100);
        }
      })();
      for (let i = 0; i < 100; i++) await new Promise((resolve) => room.write(`${i} ${'x'.repeat(8192)}`, resolve));
      slow.end();
      await reading;
      expect([read, slow.errored]).to.deep.equal([100, null]);
      expect(time.now).to.be.above(9000);
      await slow.whenClosed();
    }));

  it('is ended by broadcast() if more than maxBufferedAmount waits', () =>
    inVirtualTime(async () => {
      const options = { maxBufferedAmount: 64 * 1024 };
      await using connection = await openRaw({ transport: 'HTTP/1.1', role: 'server' }, { options });
      const { ws, peer, handle } = connection;
      ws.resume();
      peer.stream.pause();
      const failure = endingOf(ws);
      let greatest = 0;
      for (let i = 0; i < 100 && !ws.destroyed; i++) {
        handle?.broadcast('x'.repeat(512 * 1024));
        greatest = Math.max(greatest, ws.bufferedAmount);
        await turn();
      }
      peer.stream.destroy();
      expect((await failure).error?.code).to.equal('WS_ERR_BUFFER_FULL');
      expect(greatest).to.be.below(2 * 1024 * 1024);
    }));
});
