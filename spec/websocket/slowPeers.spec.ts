import { once } from 'node:events';
import { constants, type Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import type { Role } from '../../lib/webSocketHandler';
import { closeFrame, frame } from '../endings/rawEnd';
import { RawPeer } from '../support/rawPeer';
import {
  endingOf,
  fateOf,
  inVirtualTime,
  nameOf,
  networkPlaces,
  openBoth,
  openRaw,
  pass,
  places,
} from '../support/virtually';

const roles = ['server', 'client'] as const;

/** Reads this many bytes each 10 ms, until the byte stream has ended. */
async function readSteadily(stream: Duplex, size: number, enough = Number.POSITIVE_INFINITY): Promise<number> {
  stream.removeAllListeners('data').pause();
  let read = 0;
  let over = false;
  stream.on('end', () => {
    over = true;
  });
  stream.on('close', () => {
    over = true;
  });
  while (!over && read < enough) {
    // The rest is shorter than a whole piece.
    const bytes = stream.read(size) ?? (stream.readableLength < size ? stream.read() : null);
    read += (bytes as Buffer | null)?.length ?? 0;
    await pass(10);
  }
  return read;
}

describe('WebSocket.write(source): from a source that is slower than closeTimeout', () => {
  for (const place of places) {
    it(`sends all of the source when the program has called end() after it, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place, { options: { closeTimeout: 500 } });
        const { ws, peer } = connection;
        ws.resume();
        const received: unknown[] = [];
        peer.on('message', (message) => received.push(message));
        async function* source() {
          for (let i = 0; i < 5; i++) {
            yield `piece ${i} `;
            await pass(2000);
          }
        }
        const written = fateOf(
          new Promise<void>((resolve, reject) => {
            ws.write(source(), (error) => (error ? reject(error) : resolve()));
          }),
        );
        ws.end();
        expect(await peer.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
        await ws.whenClosed();
        expect([await written, received]).to.deep.equal(['resolved', ['piece 0 piece 1 piece 2 piece 3 piece 4 ']]);
      }));
  }
});

describe('A peer that reads slowly and steadily', () => {
  const size = 2 * 1024 * 1024;

  for (const role of roles) {
    it(`gets one large last message that takes longer than closeTimeout (${role})`, () =>
      inVirtualTime(async (time) => {
        const { webSocket: ws, stream } = new RawPeer(role, { closeTimeout: 200, heartbeat: false, reads: false });
        ws.resume();
        ws.on('error', () => {});
        const written = fateOf(
          new Promise<void>((resolve, reject) => {
            ws.write(Buffer.alloc(size), (error) => (error ? reject(error) : resolve()));
          }),
        );
        ws.end();
        const closed = endingOf(ws);
        // A header, the message, and the Close.
        const head = role === 'server' ? 10 : 14;
        const close = role === 'server' ? 4 : 8;
        const read = await readSteadily(stream, 64 * 1024, head + size + close);
        expect(time.now).to.be.above(600);
        expect([read, await written]).to.deep.equal([head + size + close, 'resolved']);
        stream.destroy();
        await closed;
      }, 20));

    it(`makes the callback of a large answer fail of which only a part was sent (${role})`, () =>
      inVirtualTime(async () => {
        const { webSocket: ws, stream } = new RawPeer(role, { closeTimeout: 200, heartbeat: false, reads: false });
        ws.on('error', () => {});
        const fates: string[] = [];
        ws.on('message', () => {
          ws.write(Buffer.alloc(size), (error) => fates.push((error as { code?: string } | undefined)?.code ?? 'ok'));
        });
        sendQuestionAndClose(stream, role);
        const outcome = await ws.whenClosed();
        expect(fates).to.deep.equal(['WS_ERR_NOT_OPEN']);
        expect(outcome.wasClean).to.equal(false);
      }));
  }

  for (const place of networkPlaces) {
    it(`gets an answer of many megabytes to its last message over a socket, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openRaw(place, {
          options: { closeTimeout: 300, maxMessageSize: 64 * 1024 * 1024 },
        });
        const { ws, peer } = connection;
        ws.on('error', () => {});
        const fates: string[] = [];
        const total = 8 * 1024 * 1024;
        ws.on('message', () => {
          ws.write(Buffer.alloc(total), (error) => fates.push((error as { code?: string } | undefined)?.code ?? 'ok'));
        });
        const reading = readSteadily(peer.stream, 128 * 1024);
        sendQuestionAndClose(peer.stream, place.role);
        const outcome = await ws.whenClosed();
        expect([fates, outcome]).to.deep.equal([['ok'], { code: 1000, reason: '', wasClean: true }]);
        peer.stream.destroy();
        expect(await reading).to.be.above(0);
      }, 20));
  }
});

/** A text message and a Close 1000, as the peer of this role sends them. */
function sendQuestionAndClose(stream: Duplex, role: Role): void {
  const sender = role === 'server' ? 'client' : 'server';
  stream.write(Buffer.concat([frame(0x81, '?', sender), closeFrame(1000, sender)]));
}

describe('A peer that does not read', () => {
  for (const role of roles) {
    it(`is disconnected when a loop of writes has more than maxBufferedAmount waiting (${role})`, () =>
      inVirtualTime(async () => {
        const options = { maxBufferedAmount: 64 * 1024, heartbeat: false as const, reads: false };
        const { webSocket: ws } = new RawPeer(role, options);
        const failed = once(ws, 'error');
        let greatest = 0;
        for (let i = 0; i < 100 && !ws.destroyed; i++) {
          ws.write(Buffer.alloc(10_000));
          greatest = Math.max(greatest, ws.bufferedAmount);
          await new Promise(setImmediate);
        }
        expect((await failed)[0]).to.have.property('code', 'WS_ERR_BUFFER_FULL');
        expect(greatest).to.be.below(100 * 1024);
      }));

    it(`is disconnected if no byte was sent for sendTimeout, also with the heartbeat on (${role})`, () =>
      inVirtualTime(async (time) => {
        const options = { sendTimeout: 5000, heartbeat: { interval: 1000.125, timeout: 500 }, reads: false };
        const { webSocket: ws } = new RawPeer(role, options);
        ws.resume();
        const failed = once(ws, 'error');
        ws.write(Buffer.alloc(1024 * 1024));
        expect((await failed)[0]).to.have.property('code', 'WS_ERR_SEND_TIMEOUT');
        expect(time.now).to.be.within(4900, 5200);
      }));

    it(`does not make a single large message fail (${role})`, () =>
      inVirtualTime(async () => {
        const { webSocket: ws, stream } = new RawPeer(role, {
          maxBufferedAmount: 1024,
          heartbeat: false,
          reads: false,
        });
        const written = fateOf(
          new Promise<void>((resolve, reject) => {
            ws.write(Buffer.alloc(1024 * 1024), (error) => (error ? reject(error) : resolve()));
          }),
        );
        await readSteadily(stream, 64 * 1024, 1024 * 1024 + 10);
        expect(await written).to.equal('resolved');
        ws.abort();
      }));

    it(`stays connected while its bytes are sent piece by piece, also if all of them take much longer than sendTimeout (${role})`, () =>
      inVirtualTime(async (time) => {
        const { webSocket: ws, stream } = new RawPeer(role, { sendTimeout: 5000, heartbeat: false, reads: false });
        ws.on('error', () => {});
        ws.write(Buffer.alloc(2 * 1024 * 1024));
        for (let i = 0; i < 40; i++) {
          stream.read(64 * 1024) ?? stream.read();
          await pass(700);
        }
        expect(time.now).to.be.above(20_000);
        expect([ws.destroyed, ws.errored]).to.deep.equal([false, null]);
        ws.abort();
      }));
  }
});

describe('An end whose reading is paused by its own program', () => {
  for (const place of places) {
    it(`is not reported as lost while it takes longer than interval and timeout for a message, ${nameOf(place)}`, () =>
      inVirtualTime(async (time) => {
        const heartbeat = { interval: 3000 + time.now + (place.role === 'server' ? 0.25 : 0.375), timeout: 1000 };
        const options = { heartbeat, readableHighWaterMark: { messages: 1 } };
        await using connection = await openBoth(place, { options, peerOptions: options });
        const { ws, peer } = connection;
        const codes: unknown[] = [];
        for (const end of [ws, peer]) end.on('error', (error) => codes.push(error.code));
        peer.resume();
        let read = 0;
        const reading = (async () => {
          for await (const _ of ws) {
            if (++read === 1) await pass(45_000);
            if (read === 10) ws.end();
          }
        })();
        // It fits between the two ends, so that nothing waits here.
        for (let i = 0; i < 10; i++) peer.write(Buffer.alloc(1024));
        await reading.catch(() => {});
        await Promise.all([ws.whenClosed(), peer.whenClosed()]);
        expect([codes, read]).to.deep.equal([[], 10]);
      }));
  }

  for (const role of roles) {
    it(`sends unsolicited pongs (${role})`, () =>
      inVirtualTime(async () => {
        const heartbeat = { interval: 3000.0625, timeout: 1000 };
        const peer = new RawPeer(role, { heartbeat, readableHighWaterMark: { messages: 1 } });
        const { webSocket: ws } = peer;
        ws.on('error', () => {});
        ws.pause();
        ws.on('data', () => {});
        ws.pause();
        for (let i = 0; i < 10; i++) peer.send(0x81, `message ${i}`);
        await pass(10_000);
        expect(ws.destroyed).to.equal(false);
        const pongs = peer.frames.filter(({ first }) => first === 0x8a);
        expect(pongs.length).to.be.above(4);
        ws.abort();
      }));
  }
});

describe('A slow reader of a peer that sends messages and a Close frame, and disconnects', () => {
  for (const place of networkPlaces) {
    it(`reads all of the messages, and then gets the close code, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openRaw(place, { options: { closeTimeout: 60_000 } });
        const { ws, peer } = connection;
        const texts = Array.from({ length: 100 }, (_, i) => `message ${i}`);
        const ending = endingOf(ws);
        peer.sendTexts(texts, closeFrame(1000, peer.role));
        peer.stream.end();
        // A stream of HTTP/2 that has ended on this side can be reset without an error (RFC 9113 §8.1).
        if ('close' in peer.stream) (peer.stream as Http2Stream).close(constants.NGHTTP2_NO_ERROR);
        else (peer.stream as Socket).destroySoon();
        const received: unknown[] = [];
        for await (const message of ws) {
          received.push(message);
          // Some messages are read ahead, and the Close is behind all of them.
          if (received.length < texts.length / 2) expect(ws.closeCode).to.equal(undefined);
          await pass(100);
        }
        expect(received).to.deep.equal(texts);
        expect((await ending).events).to.deep.equal(['end', 'close']);
        expect((await ws.whenClosed()).code).to.equal(1000);
      }));
  }
});
