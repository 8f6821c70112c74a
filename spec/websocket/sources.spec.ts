import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { WebSocket } from '../../lib/webSocketHandler';
import { endingOf, inVirtualTime, nameOf, openBoth, pass, places } from '../support/virtually';

/** A source that gives one piece and then nothing, and how often it was told that nothing more will be read. */
interface Source {
  readonly source: Parameters<WebSocket['write']>[0];
  readonly told: () => number;
}

const sources: Record<string, () => Source> = {
  'an iterator whose next() never settles'() {
    let told = 0;
    let pieces = 0;
    const iterator = {
      next: () => (pieces++ === 0 ? Promise.resolve({ done: false, value: 'piece' }) : new Promise(() => {})),
      return() {
        told++;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
    return { source: { [Symbol.asyncIterator]: () => iterator } as never, told: () => told };
  },
  'a web stream'() {
    let told = 0;
    const source = new ReadableStream({
      start: (controller) => controller.enqueue('piece'),
      cancel: () => void told++,
    });
    return { source: source as never, told: () => told };
  },
  'a readable stream'() {
    const source = new Readable({ read() {}, encoding: 'utf8' });
    let told = 0;
    source.on('close', () => told++);
    source.push('piece');
    return { source, told: () => told };
  },
  'a generator that waits'() {
    let told = 0;
    let goOn = () => {};
    async function* generate() {
      try {
        yield 'piece';
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        yield 'another piece';
      } finally {
        told++;
      }
    }
    return {
      source: generate(),
      // It can hear of it only when it goes on.
      told() {
        goOn();
        return told;
      },
    };
  },
};

const ends: Record<string, (ws: WebSocket, peer: WebSocket) => void> = {
  'destroy()': (ws) => void ws.destroy(),
  'destroy(error)': (ws) => void ws.destroy(new Error('enough')),
  'abort()': (ws) => ws.abort(),
  'a reset of the peer': (_ws, peer) => peer.abort(),
  'an error of the peer': (_ws, peer) => void peer.destroy(new Error('enough')),
  "the peer's Close, answered at half of closeTimeout": (_ws, peer) => void peer.end(),
};

describe('A source that is being sent when the connection ends', () => {
  for (const place of places) {
    for (const [kind, make] of Object.entries(sources)) {
      for (const [name, end] of Object.entries(ends)) {
        it(`is ended once, and its callback fails: ${kind}, by ${name}, ${nameOf(place)}`, () =>
          inVirtualTime(async () => {
            await using connection = await openBoth(place);
            const { ws, peer } = connection;
            const ending = endingOf(ws);
            ws.resume();
            peer.on('error', () => {}).resume();
            const { source, told } = make();
            const calls: unknown[] = [];
            ws.write(source, (error) => calls.push((error as { code?: string } | null | undefined)?.code ?? 'ok'));
            const waiting: unknown[] = [];
            ws.write('behind it', (error) =>
              waiting.push((error as { code?: string } | null | undefined)?.code ?? 'ok'),
            );
            await pass(100);
            end(ws, peer);
            await ending;
            told();
            await pass(100);
            expect([calls.length, waiting.length, told()]).to.deep.equal([1, 1, 1]);
            expect([calls[0], waiting[0]]).to.not.include('ok');
          }));
      }
    }
  }
});

/** An object with all that this prototype has and inherits, and without its identity. */
function flattened(prototype: object): object {
  const copy = {};
  for (let from = prototype; from !== Object.prototype; from = Object.getPrototypeOf(from))
    Object.defineProperties(copy, {
      ...Object.getOwnPropertyDescriptors(from),
      ...Object.getOwnPropertyDescriptors(copy),
    });
  return copy;
}

describe('A message of another realm', () => {
  const foreign: Record<string, string> = {
    'an ArrayBuffer': 'new Uint8Array([1, 2, 3]).buffer',
    'a SharedArrayBuffer': 'const shared = new SharedArrayBuffer(3); new Uint8Array(shared).set([1, 2, 3]); shared',
    'a typed array': 'new Uint8Array([1, 2, 3])',
    'a DataView': 'new DataView(new Uint8Array([1, 2, 3]).buffer)',
  };
  for (const [what, code] of Object.entries(foreign)) {
    it(`is sent: ${what}`, async () => {
      await using connection = await openBoth({ transport: 'pair', role: 'server' });
      const { ws, peer } = connection;
      const received: unknown[] = [];
      peer.on('message', (message) => received.push(message));
      const value = runInNewContext(code);
      ws.write(value);
      ws.sendBinaryMessage(value);
      async function* source() {
        yield value;
      }
      ws.write(source());
      ws.resume();
      ws.end(value);
      await Promise.all([endingOf(peer), ws.whenClosed()]);
      expect(received).to.deep.equal(Array(4).fill(Buffer.of(1, 2, 3)));
    });
  }

  it('can be a stream whose class is not this realm’s', async () => {
    await using connection = await openBoth({ transport: 'pair', role: 'server' });
    const { ws, peer } = connection;
    // As under Jest, where `instanceof` does not know the streams of Node.
    const source = new Readable({ read() {}, encoding: 'utf8' });
    Object.setPrototypeOf(source, flattened(Readable.prototype));
    expect(source).to.not.be.instanceOf(Readable);
    peer.on('error', () => {}).resume();
    ws.on('error', () => {});
    const calls: unknown[] = [];
    ws.write(source, (error) => calls.push((error as { code?: string } | undefined)?.code));
    // An error before it is read must not end the process, and its end must reach the stream.
    const closed = endingOf(ws);
    source.push('a piece');
    await new Promise(setImmediate);
    ws.destroy();
    await closed;
    await peer.whenClosed();
    expect([source.destroyed, calls]).to.deep.equal([true, ['WS_ERR_NOT_OPEN']]);
  });
});
