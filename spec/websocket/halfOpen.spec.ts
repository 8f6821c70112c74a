import { Duplex, PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ReadableStream, TransformStream } from 'node:stream/web';
import { expect } from 'chai';
import type { WebSocket } from '../../lib/webSocketHandler';
import { endingOf, fateOf, inVirtualTime, nameOf, openBoth, pass, places } from '../support/virtually';

/** Says something every 50 ms, until it is destroyed, and has nothing to do with what is read. */
const ticker = () =>
  Readable.from(
    (async function* () {
      for (let i = 0; ; i++) {
        yield `tick ${i}`;
        await pass(50);
      }
    })(),
  );

/** Ways to read beside a feed. */
const readers: Record<string, (ws: WebSocket) => unknown> = {
  "a 'data' listener": (ws) => ws.on('data', () => {}),
  "a 'message' listener": (ws) => ws.on('message', () => {}),
  'a loop': async (ws) => {
    for await (const _ of ws);
  },
  "a 'data' and a 'drain' listener": (ws) => ws.on('data', () => {}).on('drain', () => {}),
};

describe('A WebSocket that a feed is piped into', () => {
  for (const place of places) {
    for (const [reader, read] of Object.entries(readers)) {
      it(`answers a Close frame at once, with ${reader} beside the feed, ${nameOf(place)}`, () =>
        inVirtualTime(async (time) => {
          await using connection = await openBoth(place, { options: { closeTimeout: 20_000 } });
          const { ws, peer } = connection;
          const feed = ticker();
          feed.pipe(ws);
          read(ws);
          const ending = endingOf(ws);
          await new Promise<void>((resolve) => peer.on('message', () => resolve()));
          peer.end('that was all');
          const asked = time.now;
          const outcome = await peer.whenClosed();
          expect(time.now - asked).to.be.below(1000);
          expect(outcome).to.deep.equal({ code: 1000, reason: '', wasClean: true });
          expect(await ending).to.deep.equal({ events: ['end', 'close'], error: undefined });
          expect([feed.listenerCount('data'), feed.readableFlowing]).to.deep.equal([0, false]);
          feed.destroy();
        }));
    }

    it(`answers a Close frame at once, and a pipeline() that feeds it rejects, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth(place, { options: { closeTimeout: 20_000 } });
        const { ws, peer } = connection;
        const fate = fateOf(pipeline(ticker(), ws));
        ws.on('data', () => {});
        const ending = endingOf(ws);
        await new Promise<void>((resolve) => peer.on('message', () => resolve()));
        peer.end('that was all');
        const asked = time.now;
        expect(await peer.whenClosed()).to.include({ code: 1000, wasClean: true });
        expect(time.now - asked).to.be.below(1000);
        expect(await fate).to.not.equal('resolved');
        expect((await ending).events).to.include('end');
      }));
  }
});

/** Chains from the readable to the writable side that hand over their last messages late. */
const chains: Record<string, (ws: WebSocket) => unknown> = {
  'a slow transform': (ws) =>
    ws
      .pipe(
        new Transform({
          objectMode: true,
          transform: (message, _encoding, done) => void setTimeout(done, 300, null, message),
        }),
      )
      .pipe(ws),
  'a transform with a slow flush': (ws) => {
    const kept: unknown[] = [];
    const late = new Transform({
      objectMode: true,
      transform(message, _encoding, done) {
        kept.push(message);
        done();
      },
      flush(done) {
        setTimeout(() => {
          for (const message of kept) this.push(message);
          done();
        }, 2000);
      },
    });
    ws.pipe(late).pipe(ws);
  },
  'a slow pipeline of transforms': (ws) =>
    pipeline(
      ws,
      new PassThrough({ objectMode: true }),
      new Transform({
        objectMode: true,
        transform: (message, _encoding, done) => void setTimeout(done, 300, null, message),
      }),
      ws,
    ),
  'a pipeline of a slow generator': (ws) =>
    pipeline(
      ws,
      async function* (messages) {
        for await (const message of messages) {
          await pass(300);
          yield message;
        }
      },
      ws,
    ),
  'a slow web transform': (ws) => {
    const { readable, writable } = Duplex.toWeb(ws) as unknown as {
      readable: ReadableStream;
      writable: WritableStream;
    };
    const slow = new TransformStream({
      async transform(message, controller) {
        await pass(300);
        controller.enqueue(message);
      },
    });
    return readable.pipeThrough(slow as never).pipeTo(writable as never);
  },
  'a web transform with a slow flush': (ws) => {
    const { readable, writable } = Duplex.toWeb(ws) as unknown as {
      readable: ReadableStream;
      writable: WritableStream;
    };
    const kept: unknown[] = [];
    const late = new TransformStream({
      transform: (message) => void kept.push(message),
      async flush(controller) {
        await pass(2000);
        for (const message of kept) controller.enqueue(message);
      },
    });
    return readable.pipeThrough(late as never).pipeTo(writable as never);
  },
};

describe('A WebSocket whose readable side leads back to its writable side', () => {
  for (const place of places) {
    for (const [chain, start] of Object.entries(chains)) {
      it(`answers a Close frame after the last message of ${chain}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place, {
            options: { closeTimeout: 20_000 },
            peerOptions: { closeTimeout: 20_000 },
          });
          const { ws, peer } = connection;
          start(ws);
          const ending = endingOf(ws);
          const echoes: unknown[] = [];
          peer.on('message', (message) => echoes.push(message));
          const peerEnding = endingOf(peer);
          for (const text of ['one', 'two', 'three']) peer.write(text);
          peer.end();
          expect(await peer.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
          await peerEnding;
          expect(echoes).to.deep.equal(['one', 'two', 'three']);
          expect((await ending).error).to.equal(undefined);
        }));
    }
  }
});

describe('The option allowHalfOpen', () => {
  for (const place of places) {
    it(`true leaves the answer to the program, also if nothing writes, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place, {
          options: { allowHalfOpen: true, closeTimeout: 20_000 },
          peerOptions: { closeTimeout: 20_000 },
        });
        const { ws, peer } = connection;
        ws.on('message', () => {});
        const ended = new Promise<void>((resolve) => ws.on('end', resolve));
        const received: unknown[] = [];
        peer.on('message', (message) => received.push(message));
        peer.end('question');
        await ended;
        await pass(3000);
        expect(ws.writableEnded).to.equal(false);
        ws.end('a late answer');
        expect(await peer.whenClosed()).to.include({ code: 1000, wasClean: true });
        expect(received).to.deep.equal(['a late answer']);
      }));

    it(`false answers at once, also if a stream is piped in, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth(place, { options: { allowHalfOpen: false, closeTimeout: 20_000 } });
        const { ws, peer } = connection;
        ws.pipe(new Transform({ objectMode: true, transform() {} })).pipe(ws);
        peer.resume();
        peer.end('question');
        expect(await peer.whenClosed()).to.include({ code: 1000, wasClean: true });
        expect(time.now).to.be.below(2000);
      }));
  }
});
