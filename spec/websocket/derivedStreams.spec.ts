import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { expect } from 'chai';
import { byteStream, type MessageStream, type WebSocket } from '../../lib/webSocketHandler';
import { catching } from '../support/uncaught';
import { endingOf, inVirtualTime, nameOf, openBoth, places } from '../support/virtually';

const upperCase = (message: unknown) => String(message).toUpperCase();

async function* upperCased(messages: AsyncIterable<unknown>) {
  for await (const message of messages) yield upperCase(message);
}

/** Streams that Node makes of a WebSocket. */
const derivations: Record<string, (ws: WebSocket) => Readable> = {
  'map()': (ws) => ws.map(upperCase),
  'filter()': (ws) => ws.filter(() => true),
  'flatMap()': (ws) => ws.flatMap((message: unknown) => [message]),
  'take()': (ws) => ws.take(10),
  'drop()': (ws) => ws.drop(0),
  'compose()': (ws) => ws.compose(upperCased) as unknown as Readable,
  'map().filter().take()': (ws) =>
    ws
      .map(upperCase)
      .filter(() => true)
      .take(10),
  'compose().map()': (ws) => (ws.compose(upperCased) as unknown as Readable).map(upperCase),
};

/**
 * Before Node 24, a stream that `compose()` returns, of any two streams, may stay open when the first one is destroyed:
 * it waits for the generator, which waits for a message. Nothing holds such a stream then.
 */
const mayStayOpen = (name: string): boolean =>
  name.includes('compose') && Number.parseInt(process.versions.node, 10) < 24;

/** Adds no 'error' listener, unlike `once()`. */
const closingOf = (stream: Readable) => new Promise((resolve) => stream.on('close', resolve));

describe('A stream that Node makes of a WebSocket', () => {
  for (const place of places.filter(({ role }) => role === 'server')) {
    for (const [name, derive] of Object.entries(derivations)) {
      it(`does not end the process when the peer vanishes: ${name}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          const caught = await catching(async () => {
            await using connection = await openBoth(place);
            const { ws, peer } = connection;
            const derived = derive(ws);
            derived.pipe(ws);
            const ending = endingOf(ws);
            const closed = closingOf(derived);
            peer.on('error', () => {});
            peer.write('HELLO');
            expect((await once(peer, 'message'))[0]).to.equal('HELLO');
            peer.abort();
            expect((await ending).error?.code).to.equal('WS_ERR_CONNECTION_LOST');
            if (mayStayOpen(name)) return;
            await closed;
            expect(derived.errored).to.equal(ws.errored);
          });
          expect(caught).to.deep.equal([]);
        }));

      it(`closes when the program destroys the WebSocket, and throws nothing: ${name}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          const caught = await catching(async () => {
            await using connection = await openBoth(place);
            const { ws, peer } = connection;
            peer.on('error', () => {});
            const derived = derive(ws);
            const closed = closingOf(derived);
            derived.pipe(ws);
            peer.write('HELLO');
            await once(peer, 'message');
            ws.destroy();
            await once(ws, 'close');
            if (!mayStayOpen(name)) await closed;
          });
          expect(caught).to.deep.equal([]);
        }));

      it(`ends after the goodbye of the peer: ${name}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          const caught = await catching(async () => {
            await using connection = await openBoth(place);
            const { ws, peer } = connection;
            const derived = derive(ws);
            const ended = new Promise((resolve) => derived.on('end', resolve));
            derived.pipe(ws);
            peer.end('HELLO');
            peer.resume();
            expect((await endingOf(ws)).error).to.equal(undefined);
            await ended;
          });
          expect(caught).to.deep.equal([]);
        }));
    }

    it(`does not end the process when the peer vanishes: map() of a message that is received as a stream, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        const caught = await catching(async () => {
          await using connection = await openBoth(place, { options: { messages: 'stream' } });
          const ws = connection.ws as unknown as WebSocket<MessageStream>;
          const { peer } = connection;
          peer.on('error', () => {});
          peer.write(
            (async function* () {
              yield 'half of a message';
              await new Promise(() => {});
            })(),
          );
          const [message] = (await once(ws, 'message')) as [MessageStream];
          const derived = message.map(upperCase);
          const closed = closingOf(derived);
          const first = once(derived, 'data');
          expect(await first).to.deep.equal(['HALF OF A MESSAGE']);
          peer.abort();
          await closed;
          expect(derived.errored).to.equal(message.errored).and.not.equal(null);
        });
        expect(caught).to.deep.equal([]);
      }));

    it(`does not end the process when the peer vanishes: map() of a byte stream, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        const caught = await catching(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          peer.on('error', () => {});
          const derived = byteStream(ws).map(upperCase);
          const closed = closingOf(derived);
          const first = once(derived, 'data');
          peer.write('hello');
          expect(await first).to.deep.equal(['HELLO']);
          peer.abort();
          await closed;
          expect(derived.errored).to.equal(ws.errored).and.not.equal(null);
        });
        expect(caught).to.deep.equal([]);
      }));

    it(`throws an exception of the program as without the library: map(), ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        const mistake = new Error('a mistake in map()');
        const caught = await catching(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          const derived = ws.map(() => {
            throw mistake;
          });
          const failure = new Promise((resolve) => process.once('uncaughtException', resolve));
          derived.pipe(ws);
          peer.write('hello');
          await failure;
          peer.on('error', () => {});
          ws.destroy();
        });
        expect(caught).to.deep.equal([mistake]);
      }));

    it(`gives the error to a listener of the program: map(), ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        const errors: unknown[] = [];
        const caught = await catching(async () => {
          await using connection = await openBoth(place);
          const { ws, peer } = connection;
          const derived = ws.map(upperCase).on('error', (error) => errors.push(error));
          const closed = closingOf(derived.resume());
          peer.on('error', () => {});
          peer.abort();
          await closed;
          expect(errors).to.deep.equal([ws.errored]);
        });
        expect(caught).to.deep.equal([]);
      }));
  }

  it('throws the error of a client, as the WebSocket does', () =>
    inVirtualTime(async () => {
      const caught = await catching(async () => {
        await using connection = await openBoth({ transport: 'HTTP/1.1', role: 'client' });
        const { ws, peer } = connection;
        ws.on('error', () => {});
        const derived = ws.map(upperCase);
        const failure = new Promise((resolve) => process.once('uncaughtException', resolve));
        derived.resume();
        peer.abort();
        await failure;
      });
      expect(caught.map((error) => (error as { code?: string }).code)).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
    }));
});
