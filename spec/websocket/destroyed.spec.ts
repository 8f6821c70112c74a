import { EventEmitter, once } from 'node:events';
import { expect } from 'chai';
import type { WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { reset } from '../endings/rigs';
import { endingOf, inVirtualTime, nameOf, networkPlaces, openBoth, openRaw, pass, places } from '../support/virtually';

describe('WebSocket.destroy(): the close code that the peer gets', () => {
  for (const place of places) {
    const expected = place.role === 'client' ? 1001 : 1011;

    it(`is ${expected} when everything was sent, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place);
        const { ws, peer } = connection;
        const ending = endingOf(peer);
        peer.on('message', () => ws.destroy());
        ws.write('all');
        const { error } = await ending;
        expect(peer.closeCode).to.equal(expected);
        expect((error as WebSocketError | undefined)?.closeCode).to.equal(expected === 1011 ? 1011 : undefined);
      }));

    it(`is 1011 while a message waits to be sent, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place);
        const { ws, peer } = connection;
        const ending = endingOf(peer);
        peer.resume();
        async function* never() {
          yield 'a piece';
          await new Promise(() => {});
        }
        ws.write(never());
        ws.write('behind it');
        await pass(100);
        ws.destroy();
        expect((await ending).error).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 1011 });
      }));

    it(`is 1011 when a loop is left by an error in the middle of its answers, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place);
        const { ws, peer } = connection;
        const ending = endingOf(peer);
        peer.resume();
        const loop = (async () => {
          for await (const _ of ws) {
            // More than leaves at once.
            ws.cork();
            ws.write('half of the answer');
            throw new Error('a mistake in the loop');
          }
        })();
        peer.write('question');
        await loop.catch(() => {});
        expect((await ending).error).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 1011 });
      }));
  }
});

/** Ends that come while callbacks are pending. */
const ends: Record<string, (ws: WebSocket) => void> = {
  'destroy()': (ws) => void ws.destroy(),
  'destroy(error)': (ws) => void ws.destroy(new Error('1011')),
  'abort()': (ws) => ws.abort(),
  'close(1011)': (ws) => {
    ws.close(1011);
    setTimeout(() => ws.destroy(), 100);
  },
};

/** Returns the codes that each callback was called with, and a promise for the first call of all three. */
function writeThree(ws: WebSocket) {
  const calls: string[][] = [[], [], []];
  const events = new EventEmitter();
  const settled = Promise.all(calls.map((_, i) => once(events, String(i))));
  const note = (i: number) => (error?: Error | null) => {
    calls[i]?.push((error as { code?: string } | null | undefined)?.code ?? 'ok');
    events.emit(String(i));
  };
  async function* source() {
    yield 'a piece';
    await new Promise(() => {});
  }
  ws.write(Buffer.alloc(1024 * 1024), note(0));
  ws.write(source(), note(1));
  ws.write('x', note(2));
  return { calls, settled };
}

describe('WebSocket.write(): its callback', () => {
  for (const place of places) {
    for (const [name, end] of Object.entries(ends)) {
      it(`is called exactly once at ${name} while a message, a source and a text wait, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          ws.on('error', () => {});
          peer.on('error', () => {});
          const { calls, settled } = writeThree(ws);
          const closed = endingOf(ws);
          end(ws);
          await closed;
          peer.abort();
          await settled;
          await peer.whenClosed();
          await pass(100);
          expect(calls.map(({ length }) => length)).to.deep.equal([1, 1, 1]);
          expect(calls[1]?.[0]).to.not.equal('ok');
        }));
    }
  }

  for (const place of networkPlaces) {
    it(`is called exactly once when the peer resets while a message, a source and a text wait, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openRaw(place);
        const { ws, peer } = connection;
        ws.on('error', () => {}).resume();
        peer.stream.pause();
        const { calls, settled } = writeThree(ws);
        const closed = endingOf(ws);
        await pass(100);
        reset(peer);
        await closed;
        await settled;
        await pass(100);
        expect(calls.map(({ length }) => length)).to.deep.equal([1, 1, 1]);
        expect(calls[2]).to.not.deep.equal(['ok']);
      }));
  }
});

describe('WebSocket.closeCode', () => {
  for (const place of networkPlaces) {
    const vanish: Record<string, (peer: Awaited<ReturnType<typeof openRaw>>['peer']) => void> = {
      'the peer has vanished': reset,
      'the peer has ended its byte stream': (peer) => void peer.stream.end(),
      'the peer has broken the protocol': (peer) => peer.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0])),
      'the peer is silent': () => {},
    };
    for (const [what, act] of Object.entries(vanish)) {
      it(`is known inside 'close' when ${what}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          const heartbeat = { interval: 200 + Math.random(), timeout: 100 };
          await using connection = await openRaw(place, { options: { heartbeat } });
          const { ws, peer } = connection;
          ws.on('error', () => {}).resume();
          const code = new Promise((resolve) => ws.on('close', () => resolve(ws.closeCode)));
          act(peer);
          expect(await code).to.equal(1006);
        }));
    }
  }
});
