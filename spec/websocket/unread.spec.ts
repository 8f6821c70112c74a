import { expect } from 'chai';
import { closeFrame } from '../endings/rawEnd';
import { endingOf, inVirtualTime, nameOf, networkPlaces, openBoth, openRaw, places } from '../support/virtually';

describe('WebSocket.close(): on a WebSocket that nobody has read', () => {
  for (const place of places) {
    it(`is answered at once though 50 KB of the peer are unread, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openBoth(place, { options: { closeTimeout: 20_000 } });
        const { ws, peer } = connection;
        const ending = endingOf(ws);
        const peerEnding = endingOf(peer);
        peer.resume();
        for (let i = 0; i < 50; i++) peer.write('x'.repeat(1024));
        ws.close(4401, 'who are you?');
        expect(await ws.whenClosed()).to.deep.equal({ code: 4401, reason: '', wasClean: true });
        expect(await ending).to.deep.equal({ events: ['end', 'close'], error: undefined });
        expect((await peerEnding).error).to.include({ code: 'WS_ERR_CLOSED_BY_PEER', closeCode: 4401 });
        expect(time.now).to.be.below(10_000);
      }));
  }

  // A raw server ends the byte stream behind the Close that it gets, so only raw clients answer it.
  for (const place of networkPlaces.filter(({ role }) => role === 'server')) {
    it(`discards messages up to the Close frame of the peer, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        await using connection = await openRaw(place, { options: { closeTimeout: 20_000 } });
        const { ws, peer } = connection;
        const ending = endingOf(ws);
        for (let i = 0; i < 50; i++) peer.sendTexts(['x'.repeat(1024)]);
        ws.close(4401);
        const answered = new Promise<void>((resolve) => {
          peer.stream.once('data', () => {
            peer.write(closeFrame(4401, peer.role));
            resolve();
          });
        });
        await answered;
        expect(await ws.whenClosed()).to.include({ code: 4401, wasClean: true });
        expect((await ending).error).to.equal(undefined);
        expect(time.now).to.be.below(10_000);
      }));
  }
});
