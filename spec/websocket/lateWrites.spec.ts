import { once } from 'node:events';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import type { AnyWebSocket, WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { endingOf, fateOf, inVirtualTime, nameOf, openBoth, pass, places } from '../support/virtually';

const texts = Array.from({ length: 14 }, (_, i) => `message ${i}`);

/** Takes 300 ms for each message, and notes what it was given. */
function slow(received: string[]): Transform {
  const transform = new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform: (message, _encoding, done) => void setTimeout(done, 300, null, message),
  });
  const { write } = transform;
  return Object.assign(transform, {
    write(message: string) {
      received.push(message);
      return write.call(transform, message, 'utf8');
    },
  });
}

/** Programs that answer each message, and take 300 ms for each. What they return must settle. */
const programs: Record<string, (ws: WebSocket, received: string[]) => Promise<unknown>> = {
  'pipeline(ws, slowTransform, ws)': (ws, received) => pipeline(ws, slow(received), ws),
  'pipeline(ws, asyncGenerator, ws)': (ws, received) =>
    pipeline(
      ws,
      async function* (messages) {
        for await (const message of messages) {
          received.push(message as string);
          await pass(300);
          yield message;
        }
      },
      ws,
    ),
  'ws.pipe(slowTransform).pipe(ws)': (ws, received) => {
    ws.pipe(slow(received)).pipe(ws);
    return once(ws, 'close');
  },
  "for await with write() and 'drain'": async (ws, received) => {
    const told: (Error | null | undefined)[] = [];
    for await (const message of ws) {
      received.push(message as string);
      await pass(300);
      if (!ws.write(message, (error) => told.push(error))) await once(ws, 'drain');
    }
    // The stream has ended as it should; the callbacks of the late answers must tell.
    const [late] = told.filter((error) => error != null);
    throw late;
  },
};

describe('WebSocket.write(): after an end that the program has not caused', () => {
  for (const place of places) {
    for (const [program, start] of Object.entries(programs)) {
      it(`settles, and all messages are read, when the library has answered the Close frame for ${program}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          const received: string[] = [];
          const ending = endingOf(ws);
          const fate = fateOf(start(ws, received));
          peer.on('error', () => {}).resume();
          for (const text of texts) peer.write(text);
          peer.end();
          const [{ events, error }, told] = await Promise.all([ending, fate, peer.whenClosed()]);
          expect(received).to.deep.equal(texts);
          expect(events.at(-1)).to.equal('close');
          // Its late answers were lost, and it must know: a loop by its callbacks, a stream by its error.
          expect(error?.code ?? told).to.equal(program.startsWith('for') ? 'WS_ERR_NOT_OPEN' : 'WS_ERR_CLOSE_TIMEOUT');
          if (program.startsWith('pipeline')) expect(told).to.equal(error?.code);
        }));

      it(`settles, and all messages are read, when the program itself has closed beside ${program}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place, { options: { closeTimeout: 60_000 } });
          const { ws, peer } = connection;
          const received: string[] = [];
          const ending = endingOf(ws);
          const fate = fateOf(start(ws, received));
          peer.on('error', () => {}).resume();
          for (const text of texts) peer.write(text);
          peer.end();
          await once(ws, 'data');
          ws.close(1001);
          await Promise.all([ending, fate, peer.whenClosed()]);
          expect(received).to.deep.equal(texts);
        }));
    }
  }

  for (const transport of ['HTTP/1.1', 'HTTP/2'] as const) {
    const beforeClose: typeof programs = {
      ...programs,
      'ws.pipe(ws)': (ws, received) => {
        ws.on('data', (message) => received.push(message as string));
        ws.pipe(ws);
        return once(ws, 'close');
      },
    };
    for (const [program, start] of Object.entries(beforeClose)) {
      it(`settles, and handle.close() does not wait for its timeout, with ${program} over ${transport}`, () =>
        inVirtualTime(async (time) => {
          await using connection = await openBoth({ transport, role: 'server' }, { options: { closeTimeout: 20_000 } });
          const { ws, peer, handle } = connection;
          const received: string[] = [];
          const ending = endingOf(ws);
          const fate = fateOf(start(ws, received));
          peer.on('error', () => {}).resume();
          for (const text of texts) peer.write(text);
          await once(ws, 'data');
          const begin = time.now;
          const summary = await handle?.close({ timeout: 60_000 });
          expect(time.now - begin).to.be.below(20_000);
          expect(summary).to.include({ closed: 1, dropped: 0 });
          await Promise.all([ending, fate, peer.whenClosed()]);
          expect(received).to.deep.equal(texts);
          expect(ws.closeCode).to.equal(1001);
        }));
    }
  }
});

describe('WebSocket.write(): after close() or end() of the program', () => {
  for (const place of places) {
    it(`does not throw when a peer sends one more message, ${nameOf(place)}`, async () => {
      await using connection = await openBoth(place);
      const { ws, peer } = connection;
      // With an 'error' listener the stream would not throw.
      const returned: unknown[] = [];
      ws.on('message', (message) => returned.push(message === 'quit' ? ws.close(1000) : ws.write(message)));
      const closed = once(ws, 'close');
      peer.resume();
      for (const text of ['one', 'quit', 'one more']) peer.write(text);
      await Promise.all([closed, peer.whenClosed()]);
      expect(returned).to.deep.equal([true, undefined, false]);
      expect([ws.errored, await ws.whenClosed()]).to.deep.equal([null, { code: 1000, reason: '', wasClean: true }]);
    });

    for (const end of ['close', 'end'] as const) {
      it(`fails its callback once with WS_ERR_NOT_OPEN and returns false after ${end}(), ${nameOf(place)}`, async () => {
        await using connection = await openBoth(place);
        const { ws, peer } = connection;
        const { events } = { events: [] as string[] };
        ws.on('error', () => events.push('error'));
        peer.resume();
        ws.resume();
        ws[end]();
        const calls: unknown[] = [];
        const returned = [
          ws.write('late', (error) => calls.push((error as { code?: string })?.code)),
          ws.write('later'),
        ];
        await Promise.all([once(ws, 'close'), peer.whenClosed()]);
        expect([returned, calls, events]).to.deep.equal([[false, false], ['WS_ERR_NOT_OPEN'], []]);
        expect(ws.wasClean).to.equal(true);
      });
    }
  }

  it('does not stop a loop over all clients when one of them was closed before', async () => {
    await using one = await openBoth({ transport: 'HTTP/1.1', role: 'server' });
    await using other = await openBoth({ transport: 'HTTP/1.1', role: 'server' });
    for (const { ws, peer } of [one, other]) {
      ws.resume();
      peer.on('error', () => {}).resume();
    }
    const closed = [once(one.ws, 'close'), once(other.ws, 'close')];
    const received = once(other.peer, 'message');
    one.ws.close(4001);
    for (const { ws } of [one, other]) ws.write('to all');
    expect((await received)[0]).to.equal('to all');
    other.ws.close();
    await Promise.all(closed);
    expect([one.ws.closeCode, one.ws.errored]).to.deep.equal([4001, null]);
  });
});

describe('A WebSocket that is only written to', () => {
  /** Of large messages, so that the buffers on the way are soon full. */
  const forever = () =>
    Readable.from(
      (function* () {
        for (let i = 0; ; i++) yield `message ${i} `.repeat(4096);
      })(),
    );

  const readers: Record<string, (ws: AnyWebSocket) => void> = {
    'that nobody reads': () => {},
    'with a data listener': (ws) => ws.resume(),
  };

  for (const place of places) {
    for (const [name, read] of Object.entries(readers)) {
      it(`informs its writers that the peer has closed: pipeline() rejects, ${name}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          read(ws);
          const ending = endingOf(ws);
          const source = forever();
          const fate = fateOf(pipeline(source, ws));
          peer.on('message', () => peer.end());
          await Promise.all([ending, peer.whenClosed()]);
          expect(await fate).to.not.equal('resolved');
          expect(source.destroyed).to.equal(true);
        }));

      it(`informs its writers that the peer has closed: a piped source is unpiped, ${name}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          read(ws);
          const ending = endingOf(ws);
          const source = forever();
          const unpiped = once(ws, 'unpipe');
          source.pipe(ws);
          peer.on('message', () => peer.end());
          await Promise.all([ending, unpiped, peer.whenClosed()]);
          expect(source.listenerCount('data')).to.equal(0);
          expect(source.isPaused() || source.readableFlowing === false).to.equal(true);
          source.destroy();
        }));

      for (const closeCode of [1000, 1001, 1011, 4000]) {
        it(`informs its writers that the peer has closed: the callback of a loop fails, ${name}, Close ${closeCode}, ${nameOf(place)}`, () =>
          inVirtualTime(async () => {
            await using connection = await openBoth(place);
            const { ws, peer } = connection;
            read(ws);
            const ending = endingOf(ws);
            peer.on('message', () => peer.close(closeCode));
            let code: string | undefined;
            for (let i = 0; code === undefined; i++) {
              const error = await new Promise<Error | null | undefined>((resolve) => ws.write(`message ${i}`, resolve));
              code = (error as { code?: string } | null | undefined)?.code;
              await pass(1);
            }
            expect(code).to.equal('WS_ERR_NOT_OPEN');
            const { error } = await ending;
            expect(error?.code).to.equal(closeCode < 1002 ? undefined : 'WS_ERR_CLOSED_BY_PEER');
          }));
      }
    }

    it(`emits 'drain' to a waiting loop when the peer has closed while reading is paused, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place);
        const { ws, peer } = connection;
        ws.resume();
        ws.pause();
        const ending = endingOf(ws);
        peer.on('error', () => {});
        peer.pause();
        let code: string | undefined;
        const writing = (async () => {
          while (code === undefined) {
            const mayGoOn = ws.write('x'.repeat(100_000), (error) => {
              code ??= (error as WebSocketError | null)?.code;
            });
            if (!mayGoOn) await once(ws, 'drain');
          }
        })();
        await pass(100);
        peer.close(1000);
        await writing;
        // What waited to be sent fails otherwise than what was written too late.
        expect(code).to.be.oneOf(['WS_ERR_CLOSE_TIMEOUT', 'WS_ERR_NOT_OPEN']);
        ws.resume();
        await Promise.all([ending, peer.whenClosed()]);
      }));
  }
});
