import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import type { MessageStream, Role, WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import { closeFrame, frame } from '../endings/rawEnd';
import { RawPeer, rawFrame } from '../support/rawPeer';
import { seeds } from '../support/seeds';
import { Dice, peerOf } from '../support/vectors';
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

const codes = [1000, 1001, undefined] as const;

/** Reads a message to its end, or to its error. */
async function readAll(message: MessageStream): Promise<{ text: string; code: string | undefined }> {
  let text = '';
  try {
    for await (const piece of message) text += piece;
    return { text, code: undefined };
  } catch (error) {
    return { text, code: (error as WebSocketError).code };
  }
}

describe('A clean Close in the middle of a message', () => {
  for (const place of networkPlaces) {
    for (const code of codes) {
      it(`fails the stream of the message and the WebSocket: ${code ?? 'no code'}, ${nameOf(place)}`, () =>
        inVirtualTime(async (time) => {
          await using connection = await openRaw(place, {
            options: { messages: 'stream', closeTimeout: 20_000 } as object,
          });
          const { peer } = connection;
          const ws = connection.ws as unknown as WebSocket<MessageStream>;
          const ending = endingOf(ws as never);
          const read = new Promise<ReturnType<typeof readAll>>((resolve) =>
            ws.on('message', (message) => resolve(readAll(message) as never)),
          );
          peer.write(frame(0x01, 'half of a', peer.role));
          await pass(100);
          const asked = time.now;
          peer.write(closeFrame(code, peer.role));
          expect(await peer.closeCode).to.equal(code ?? 1005);
          expect(time.now - asked).to.be.below(8000);
          expect(await read).to.deep.equal({ text: 'half of a', code: 'WS_ERR_TRUNCATED' });
          expect((await ending).error?.code).to.equal('WS_ERR_TRUNCATED');
          expect(await ws.whenClosed()).to.include({ code: code ?? 1005, wasClean: true });
        }));

      it(`fails the WebSocket that reads whole messages: ${code ?? 'no code'}, ${nameOf(place)}`, () =>
        inVirtualTime(async () => {
          await using connection = await openRaw(place, { options: { closeTimeout: 20_000 } });
          const { ws, peer } = connection;
          const received: unknown[] = [];
          ws.on('message', (message) => received.push(message));
          const ending = endingOf(ws);
          peer.write(frame(0x81, 'whole', peer.role), frame(0x01, 'half of a', peer.role));
          await pass(100);
          peer.write(closeFrame(code, peer.role));
          expect(await peer.closeCode).to.equal(code ?? 1005);
          expect((await ending).error?.code).to.equal('WS_ERR_TRUNCATED');
          expect(received).to.deep.equal(['whole']);
        }));
    }
  }

  for (const place of places) {
    it(`is not sent by our own destroy() during a streamed write, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        await using connection = await openBoth(place, {
          // Of a pair, both ends have the same options.
          options: (place.transport === 'pair' ? { messages: 'stream' } : {}) as object,
          peerOptions: { messages: 'stream' } as object,
        });
        const { ws } = connection;
        const peer = connection.peer as unknown as WebSocket<MessageStream>;
        const ending = endingOf(peer as never);
        const read = new Promise<ReturnType<typeof readAll>>((resolve) =>
          peer.on('message', (message) => resolve(readAll(message) as never)),
        );
        async function* never() {
          yield 'half of a';
          await new Promise(() => {});
        }
        const written = fateOf(
          new Promise<void>((resolve, reject) => {
            ws.write(never(), (error) => (error ? reject(error) : resolve()));
          }),
        );
        await pass(100);
        ws.destroy();
        const { text, code } = await read;
        expect(text).to.equal('half of a');
        expect(code).to.match(/^WS_ERR_/);
        expect((await ending).error?.code).to.equal(code);
        expect(await written).to.equal('WS_ERR_NOT_OPEN');
      }));
  }
});

describe('A compressed message that is read slowly while the connection is lost', () => {
  for (const place of places) {
    it(`loses no received byte, and has no wrong byte, ${nameOf(place)}`, () =>
      inVirtualTime(async () => {
        const options = { messages: 'stream', perMessageDeflate: true, closeTimeout: 60_000 } as object;
        await using connection = await openBoth(place, {
          options,
          peerOptions: { perMessageDeflate: true, closeTimeout: 60_000 },
        });
        const { peer } = connection;
        const ws = connection.ws as unknown as WebSocket<MessageStream>;
        ws.on('error', () => {});
        peer.on('error', () => {});
        const text = Array.from({ length: 20_000 }, (_, i) => `word ${(i * 7919) % 10_007}`).join(' ');
        const read = new Promise<ReturnType<typeof readAll>>((resolve) => {
          ws.on('message', async (message) => {
            await pass(500);
            resolve(
              (async () => {
                let received = '';
                try {
                  for await (const piece of message) {
                    received += piece;
                    await pass(200);
                  }
                  return { text: received, code: undefined };
                } catch (error) {
                  return { text: received, code: (error as WebSocketError).code };
                }
              })() as never,
            );
          });
        });
        const sent = fateOf(
          new Promise<void>((resolve, reject) => {
            peer.write(text, (error) => (error ? reject(error) : resolve()));
          }),
        );
        expect(await sent).to.equal('resolved');
        await pass(100);
        peer.abort();
        const { text: received, code } = (await read) as Awaited<ReturnType<typeof readAll>>;
        expect(text.startsWith(received)).to.equal(true);
        if (code === undefined) expect(received.length).to.equal(text.length);
        await ws.whenClosed();
      }));
  }
});

describe('A compressed message that is received before the connection is lost, and is read piece by piece', () => {
  /** Bytes that are compressed in many short blocks: a decompressor that begins anew finds a block header nearly everywhere. */
  function messageOf(dice: Dice): Buffer {
    const pieces = Array.from({ length: 250 }, () =>
      dice.roll(2) ? dice.bytes(500) : Buffer.alloc(500, dice.roll(256)),
    );
    return Buffer.concat(pieces);
  }

  function compressed(message: Buffer, dice: Dice): Buffer {
    const strategy = dice.pick([constants.Z_FIXED, constants.Z_DEFAULT_STRATEGY, constants.Z_HUFFMAN_ONLY]);
    return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH, memLevel: 1, strategy }).subarray(0, -4);
  }

  /** One message (RSV1 for permessage-deflate) in frames with a payload of this size. */
  function framesOf(payload: Buffer, size: number, sender: Role): Buffer {
    const frames: Buffer[] = [];
    for (let at = 0; at < payload.length; at += size) {
      const first = (at === 0 ? 0x42 : 0) | (at + size >= payload.length ? 0x80 : 0);
      frames.push(rawFrame(first, payload.subarray(at, at + size), sender));
    }
    return Buffer.concat(frames);
  }

  for (const role of ['server', 'client'] as const) {
    for (const [what, size] of [
      ['in one frame', Number.POSITIVE_INFINITY],
      ['in fragments', 300],
    ] as const) {
      it(`is delivered completely and correctly: ${what}, to a ${role}`, async () => {
        const [wrong, lost]: [number[], number[]] = [[], []];
        for (const seed of seeds(60, 300)) {
          const dice = new Dice(seed);
          const sent = messageOf(dice);
          const options = { messages: 'stream', perMessageDeflate: true, extensions: 'permessage-deflate' } as object;
          const peer = new RawPeer(role, options);
          const ws = peer.webSocket as unknown as WebSocket<MessageStream>;
          const ending = endingOf(ws as never);
          const message = once(ws, 'message') as Promise<[MessageStream]>;
          peer.write(framesOf(compressed(sent, dice), size, peerOf(role)));
          const pieces: Buffer[] = [];
          const read = async () => {
            for await (const piece of (await message)[0]) {
              pieces.push(piece as Buffer);
              if (pieces.length === 1) peer.stream.destroy();
              for (let i = 0; i < 3; i++) await turn();
            }
          };
          await read().catch(() => {});
          const received = Buffer.concat(pieces);
          if (!sent.subarray(0, received.length).equals(received)) wrong.push(seed);
          else if (received.length < sent.length) lost.push(seed);
          expect((await ending).error?.code).to.equal('WS_ERR_CONNECTION_LOST');
        }
        expect(wrong, 'seeds for which bytes were delivered that were not sent').to.deep.equal([]);
        expect(lost, 'seeds for which bytes were lost that had arrived').to.deep.equal([]);
      });
    }
  }
});
