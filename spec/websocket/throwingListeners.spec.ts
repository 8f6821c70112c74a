import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import { byteStream, createPair, type WebSocket } from '../../lib/webSocketHandler';
import { closeFrame, frame } from '../endings/rawEnd';
import { catching } from '../support/uncaught';
import { endingOf, nameOf, networkPlaces, openBoth, openRaw, places } from '../support/virtually';

const events = ['message', 'data', 'ping', 'pong'] as const;

const texts = Array.from({ length: 12 }, (_, i) => `message ${i}`);

const mistake = new Error('a mistake in a listener');

/** Listens, and throws the first times. Returns the messages. */
function listenAndThrow(ws: WebSocket, event: (typeof events)[number], times: number): unknown[] {
  const received: unknown[] = [];
  let thrown = 0;
  const listener = () => {
    if (thrown++ < times) throw mistake;
  };
  if (event === 'message' || event === 'data')
    ws.on(event as 'data', (message) => {
      received.push(message);
      listener();
    });
  else {
    ws.on('data', (message) => received.push(message));
    ws.on(event, listener);
  }
  return received;
}

describe('A listener that throws', () => {
  for (const place of networkPlaces) {
    for (const event of events) {
      it(`loses and repeats no message, all in one chunk: '${event}', ${nameOf(place)}`, async () => {
        let received: unknown[] = [];
        const caught = await catching(async () => {
          await using connection = await openRaw(place);
          const { ws, peer, handle } = connection;
          received = listenAndThrow(ws, event, 3);
          const ending = endingOf(ws);
          const control = event === 'pong' ? 0x8a : 0x89;
          const frames = texts.flatMap((text) => [frame(0x81, text, peer.role), frame(control, 'payload', peer.role)]);
          peer.write(...frames, closeFrame(1000, peer.role));
          const { error } = await ending;
          expect(error).to.equal(undefined);
          expect(ws.closeCode).to.equal(1000);
          expect(handle?.connections.size ?? 0).to.equal(0);
        });
        expect(received).to.deep.equal(texts);
        expect(caught).to.deep.equal([mistake, mistake, mistake]);
      });
    }
  }

  for (const place of places) {
    for (const event of ['message', 'data'] as const) {
      it(`loses and repeats no message, in several chunks: '${event}', ${nameOf(place)}`, async () => {
        let received: unknown[] = [];
        const caught = await catching(async () => {
          await using connection = await openBoth(place);
          const { ws, peer, handle } = connection;
          received = listenAndThrow(ws, event, 3);
          peer.resume();
          const endings = Promise.all([endingOf(ws), endingOf(peer)]);
          for (const text of texts) {
            await new Promise((resolve) => peer.write(text, resolve));
            await new Promise(setImmediate);
          }
          peer.end();
          await endings;
          expect(handle?.connections.size ?? 0).to.equal(0);
        });
        expect(received).to.deep.equal(texts);
        expect(caught).to.deep.equal([mistake, mistake, mistake]);
      });
    }
  }

  for (const version of ['13', '8', '7', 'draft03', 'draft76', 'draft75'] as const) {
    for (const end of [0, 1]) {
      it(`loses and repeats no message in version ${version}, ${end === 0 ? 'server' : 'client'}`, async () => {
        let received: unknown[] = [];
        const caught = await catching(async () => {
          const pair = createPair({ version, heartbeat: false });
          const [ws, peer] = [pair[end] as WebSocket, pair[1 - end] as WebSocket];
          received = listenAndThrow(ws, 'message', 3);
          peer.resume();
          const endings = Promise.all([endingOf(ws), endingOf(peer)]);
          for (const text of texts) peer.write(text);
          peer.end();
          await endings;
        });
        expect(received).to.deep.equal(texts);
        expect(caught).to.deep.equal([mistake, mistake, mistake]);
      });
    }
  }

  for (const [name, streamOf] of [
    ['a WebSocket', (ws: WebSocket) => ws],
    ['a byte stream', byteStream],
  ] as const) {
    it(`loses and repeats nothing of what has waited for the reader: ${name}`, async () => {
      const received: string[] = [];
      const caught = await catching(async () => {
        const [ws, peer] = createPair();
        const stream: Duplex = streamOf(ws);
        for (const text of texts) peer.write(text);
        peer.end();
        await once(stream, 'readable');
        expect(stream.readableLength).to.be.above(0);
        let thrown = 0;
        stream.on('data', (message: string | Buffer) => {
          received.push(String(message));
          if (thrown++ < 3) throw mistake;
        });
        await once(stream, 'end');
      });
      expect(received.join(',')).to.equal(texts.join(','));
      expect(caught).to.deep.equal([mistake, mistake, mistake]);
    });
  }
});
