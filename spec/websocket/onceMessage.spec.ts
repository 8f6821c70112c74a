import { once } from 'node:events';
import { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { type AnyWebSocket, byteStream } from '../../lib/webSocketHandler';
import { inVirtualTime, nameOf, openBoth, places } from '../support/virtually';

/** Takes twice `closeTimeout` for all messages together. */
function slowly(received: unknown[]): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(message, _encoding, done) {
      received.push(String(message));
      setTimeout(done, 200);
    },
  });
}

/** Ways to read on. Each resolves when the end was reached. */
const readers: Record<string, (ws: AnyWebSocket, received: unknown[]) => Promise<unknown>> = {
  "a 'data' listener": (ws, received) =>
    finished(
      ws.on('data', (message) => received.push(message)),
      { writable: false },
    ),
  "a 'message' listener": (ws, received) =>
    finished(
      ws.on('message', (message) => received.push(message)),
      { writable: false },
    ),
  'a pipe': (ws, received) => finished(ws.pipe(slowly(received))),
  'a pipeline': (ws, received) => pipeline(ws, slowly(received)),
  'a loop': async (ws, received) => {
    for await (const message of ws) received.push(message);
  },
  'a byte stream': (ws, received) => pipeline(byteStream(ws), slowly(received)),
};

describe("WebSocket: after once(ws, 'message')", () => {
  for (const place of places) {
    for (const [reader, read] of Object.entries(readers)) {
      it(`delivers all other messages and the end to ${reader}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openBoth(place, { options: { closeTimeout: 1000 } });
          const { ws, peer } = connection;
          peer.on('error', () => {}).resume();
          peer.write('login');
          const texts = Array.from({ length: 10 }, (_, i) => `message ${i}`);
          for (const text of texts) peer.write(text);
          peer.end();
          expect(await once(ws, 'message')).to.include('login');
          const received: unknown[] = [];
          await read(ws, received);
          expect(received.join()).to.equal(texts.join());
          await peer.whenClosed();
        }));
    }
  }
});
