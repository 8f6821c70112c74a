import { once } from 'node:events';
import { expect } from 'chai';
import type { MessageStream, WebSocket } from '../../lib/webSocketHandler';
import { endingOf, inVirtualTime, nameOf, networkPlaces, openBoth, pass, places } from '../support/virtually';

describe('Option maxMessageRate', () => {
  for (const place of places) {
    it(`lets the messages of one second come at once, and the others wait at the peer, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place, { options: { maxMessageRate: 20 } });
        const { ws, peer } = connection;
        const received: unknown[] = [];
        ws.on('message', (message) => received.push(message));
        const sent = Array.from({ length: 30 }, (_, i) => `message ${i}`);
        const closing = endingOf(ws);
        for (const message of sent) peer.write(message);
        await pass(50);
        expect(received).to.have.lengthOf(20);
        peer.end();
        expect((await closing).events).to.deep.equal(['end', 'close']);
        expect(received).to.deep.equal(sent);
      }, 10));

    it(`counts a streamed message once, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place, { options: { maxMessageRate: 0.001, messages: 'stream' } });
        const ws = connection.ws as unknown as WebSocket<MessageStream>;
        const { peer } = connection;
        const received = once(ws, 'message');
        // Each piece is a fragment.
        peer.write(
          (async function* () {
            yield* 'a message';
          })(),
        );
        const [message] = (await received) as [MessageStream];
        expect((await message.toArray()).join('')).to.equal('a message');
        peer.on('error', () => {});
        ws.destroy();
        await Promise.all([ws.whenClosed(), peer.whenClosed()]);
      }, 10));

    it(`leaves no timer when the WebSocket is destroyed meanwhile, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth(place, { options: { maxMessageRate: 0.001 } });
        const { ws, peer } = connection;
        peer.on('error', () => {});
        ws.resume();
        peer.write('the only message of the quarter of an hour');
        await once(ws, 'message');
        ws.destroy();
        await Promise.all([ws.whenClosed(), peer.whenClosed()]);
        expect([...time.active].filter(({ delay }) => delay > 100_000)).to.deep.equal([]);
      }));
  }
});

describe('Option maxLifetime', () => {
  for (const place of networkPlaces) {
    const code = place.role === 'server' ? 1012 : 1001;
    it(`closes the connection with ${code} in the last tenth of the time, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth(place, { options: { maxLifetime: 60_000 } });
        const { ws, peer } = connection;
        ws.resume();
        peer.resume().on('error', () => {});
        const { wasClean } = await ws.whenClosed();
        expect(wasClean).to.equal(true);
        expect(peer.closeCode).to.equal(code);
        expect(peer.closeReason).to.equal('maxLifetime');
        expect(time.now).to.be.within(54_000, 61_000);
      }));

    it(`is no concern of a connection that has ended before, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth(place, { options: { maxLifetime: 1_000_000 } });
        const { ws, peer } = connection;
        ws.resume();
        peer.resume().end();
        await ws.whenClosed();
        expect([...time.active].filter(({ delay }) => delay > 100_000)).to.deep.equal([]);
      }));
  }
});
