import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { retainedBytes } from './support/garbage';
import { RawPeer, rawFrame } from './support/rawPeer';
import { hex } from './support/vectors';

/** Peers that want to exhaust us: what they can make a server keep is bounded, whatever they send. */

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** What is kept for a connection after its peer has done this. */
async function keptAfter(peer: RawPeer, act: () => Promise<void>): Promise<number> {
  const before = await retainedBytes();
  await act();
  const kept = (await retainedBytes()) - before;
  peer.webSocket.abort();
  return kept;
}

async function closeCode(peer: RawPeer): Promise<number | undefined> {
  const frames = await peer.ended();
  return frames.find(({ first }) => first === 0x88)?.payload.readUInt16BE(0);
}

function serverFor(options: ConstructorParameters<typeof RawPeer>[1] = {}): RawPeer {
  const peer = new RawPeer('server', options);
  peer.webSocket.on('error', () => {}).resume();
  return peer;
}

/** Gives the other end time to take what was written. */
async function drained(peer: RawPeer): Promise<void> {
  if (peer.stream.writableNeedDrain) await once(peer.stream, 'drain');
  else await turn();
}

describe('A peer', () => {
  it('that sends a message byte by byte costs little more memory than the message', async () => {
    const frame = rawFrame(0x81, Buffer.alloc(50 * kibibyte, 'a'), 'client');
    const trickle = async () => {
      const peer = serverFor();
      peer.webSocket.pipe(peer.webSocket);
      return await keptAfter(peer, async () => {
        for (const byte of frame.subarray(0, -1)) {
          peer.write(Buffer.of(byte));
          if (peer.stream.writableNeedDrain) await drained(peer);
        }
      });
    };
    // The first time, code is compiled as well.
    await trickle();
    expect(await trickle()).to.be.below(200 * kibibyte);
  });

  it('that sends a million empty fragments costs no memory', async () => {
    const peer = serverFor();
    const fragments = Buffer.concat(Array.from({ length: 10_000 }, () => rawFrame(0x00, Buffer.alloc(0), 'client')));
    const kept = await keptAfter(peer, async () => {
      peer.send(0x01);
      for (let i = 0; i < 100; i++) {
        peer.write(fragments);
        await drained(peer);
      }
    });
    expect(kept).to.be.below(500 * kibibyte);
  });

  it('that sends fragments of one byte costs little more memory than their bytes and gets 1009 at the limit', async () => {
    const limit = 512 * kibibyte;
    const peer = serverFor({ maxMessageSize: limit });
    const fragments = Buffer.concat(Array.from({ length: kibibyte }, () => rawFrame(0x00, Buffer.of(1), 'client')));
    peer.send(0x02);
    const before = await retainedBytes();
    for (let i = 0; i < limit / kibibyte; i++) {
      peer.write(fragments);
      await drained(peer);
    }
    expect((await retainedBytes()) - before).to.be.below(limit * 2.5);
    peer.send(0x00, 'a');
    expect(await closeCode(peer)).to.equal(1009);
  });

  for (const [what, bytes, code] of [
    ['a length of 2^63', '82 ff 8000000000000000', 1002],
    ['a length of 2^63 - 1', '82 ff 7fffffffffffffff', 1009],
    ['a length of 2^32', '82 ff 0000000100000000', 1009],
    ['a length of one byte more than the limit', '82 ff 0000000000200001', 1009],
    ['the same in a second fragment', '02 81 00000000 61 80 ff 0000000000200000', 1009],
    ['a length that could be shorter', '82 fe 007d', 1002],
    ['a ping that is longer than pings are', '89 fe 007e', 1002],
    ['bytes of another protocol', '474554202f20485454502f312e310d0a', 1002],
    ['a TLS greeting', '160301020001', 1002],
  ] as const) {
    it(`that sends ${what} gets ${code} at once and costs no memory`, async () => {
      const peer = serverFor();
      const kept = process.memoryUsage().arrayBuffers;
      peer.write(hex(bytes));
      expect(await closeCode(peer)).to.equal(code);
      // The shortest of the lengths that are announced is two megabytes; a pool of Node's for small buffers is 8 KiB, 64 KiB in newer lines.
      expect(process.memoryUsage().arrayBuffers - kept).to.be.below(256 * kibibyte);
    });
  }

  it('that announces two megabytes and sends one byte costs at most a quarter of a megabyte', async () => {
    const peers = Array.from({ length: 20 }, () => serverFor());
    const before = await retainedBytes();
    for (const peer of peers) peer.write(hex('82 ff 0000000000200000 00000000 61'));
    await turn();
    expect((await retainedBytes()) - before).to.be.below(20 * 300 * kibibyte);
    for (const peer of peers) peer.webSocket.abort();
  });

  it('that sends 600,000 pings and reads no answer costs the memory of one pong', async () => {
    const peer = serverFor({ reads: false });
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => rawFrame(0x89, Buffer.alloc(100, 'p'), 'client')));
    const kept = await keptAfter(peer, async () => {
      for (let i = 0; i < 60; i++) {
        peer.write(pings);
        await drained(peer);
      }
    });
    expect(peer.webSocket.bufferedAmount).to.be.below(2 * mebibyte);
    expect(kept).to.be.below(3 * mebibyte);
  });

  it('that sends messages that the program does not read is held back', async () => {
    const peer = new RawPeer('server');
    const messages = Buffer.concat(Array.from({ length: 10 }, () => rawFrame(0x82, Buffer.alloc(kibibyte), 'client')));
    let sent = 0;
    const kept = await keptAfter(peer, async () => {
      while (sent < 20 * mebibyte && !peer.stream.writableNeedDrain) {
        peer.write(messages);
        sent += messages.length;
        await turn();
      }
    });
    expect(peer.stream.writableNeedDrain).to.equal(true);
    // 64 KiB read ahead, two byte streams that hold 16 KiB each, and the last of the writes.
    expect(sent).to.be.below(200 * kibibyte);
    expect(kept).to.be.below(300 * kibibyte);
    expect(peer.webSocket.readableLength).to.be.at.most(16);
  });

  it('that sends a compressed message that never ends gets 1009', async () => {
    const peer = serverFor({ extensions: 'permessage-deflate', maxMessageSize: 100 * kibibyte });
    peer.send(0x42, Buffer.alloc(kibibyte));
    for (let i = 0; i < 110; i++) peer.send(0x00, Buffer.alloc(kibibyte));
    expect(await closeCode(peer)).to.equal(1009);
  });

  it('that sends empty compressed fragments costs no memory', async () => {
    const peer = serverFor({ extensions: 'permessage-deflate' });
    const fragments = Buffer.concat(Array.from({ length: 10_000 }, () => rawFrame(0x00, Buffer.alloc(0), 'client')));
    const kept = await keptAfter(peer, async () => {
      peer.send(0x41);
      for (let i = 0; i < 20; i++) {
        peer.write(fragments);
        await drained(peer);
      }
    });
    expect(kept).to.be.below(500 * kibibyte);
  });

  it('that begins a message and closes costs no memory after that', async () => {
    const before = await retainedBytes();
    for (let i = 0; i < 200; i++) {
      const peer = serverFor({ extensions: 'permessage-deflate' });
      peer.send(0x02, Buffer.alloc(20 * kibibyte));
      peer.stream.destroy();
      await peer.webSocket.whenClosed();
    }
    expect((await retainedBytes()) - before).to.be.below(mebibyte);
  });
});

describe('A program that passes a number or another value for bytes', () => {
  const numbers = [1000, 0, Number.NaN, [1, 2], { length: 8 }, true];

  it('sends no memory of the process with ping() and close(): they are refused at once', async () => {
    const peer = serverFor();
    const { webSocket } = peer;
    for (const value of numbers) expect(await codeOf(() => webSocket.ping(value as never))).to.equal(invalid);
    for (const value of [...numbers, new Float32Array(8), new ArrayBuffer(8)])
      expect(await codeOf(() => webSocket.close(1000, value as never))).to.equal(invalid);
    await turn();
    expect(peer.frames).to.deep.equal([]);
    webSocket.abort();
  });

  it('sends no memory of the process with write(): the stream fails', async () => {
    for (const value of numbers) {
      const peer = serverFor();
      peer.webSocket.write(value as never);
      const [error] = await once(peer.webSocket, 'error');
      expect(error.code).to.equal(invalid);
      await peer.ended();
      // A Close frame at most.
      expect(peer.frames.filter(({ first }) => first !== 0x88)).to.deep.equal([]);
    }
  });

  it('sends the bytes of a view, and no others of its memory', async () => {
    const memory = new ArrayBuffer(64);
    for (const view of [new Float32Array(memory, 8, 2), new DataView(memory, 3, 5), new Uint16Array(memory, 2, 0)]) {
      const peer = serverFor();
      peer.webSocket.write(view as never);
      await peer.until(() => peer.frames.length === 1);
      expect(peer.frames[0]?.payload.length).to.equal(view.byteLength);
      peer.webSocket.abort();
    }
  });
});

const invalid = 'WS_ERR_INVALID_ARGUMENT';

/** The code of the error that a call throws, or with which its promise is rejected. */
async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
