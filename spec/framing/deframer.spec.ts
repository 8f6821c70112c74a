import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { Deframer, type DeframerOptions, Framer, type Incoming, type WebSocketError } from '../../lib/webSocketHandler';
import { thrownBy } from '../support/thrown';
import { chunksOf, hex, wire } from '../support/vectors';

const reservedBit = hex('c1 00');

/** A server's frames: a text message for each number, all in one chunk. */
function numberedFrames(count: number): Buffer {
  const frames: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const text = String(i);
    frames.push(Buffer.of(0x81, text.length), Buffer.from(text));
  }
  return Buffer.concat(frames);
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** A Deframer with bytes in it and, unless more are to come, the end behind them. */
function deframerOf(bytes: Buffer, { end = true } = {}): Deframer {
  const deframer = new Deframer({ role: 'client' });
  deframer.write(bytes);
  if (end) deframer.end();
  return deframer;
}

/** Counts how often a stream has put out something, read or not: what it has decoded. */
function countPushes(deframer: Deframer): () => number {
  let count = 0;
  const push = deframer.push.bind(deframer);
  deframer.push = (item: Incoming) => {
    if (item !== null) count++;
    return push(item);
  };
  return () => count;
}

/** All messages until the end or an error. */
async function readAll(deframer: Deframer): Promise<{ items: Incoming[]; error: WebSocketError | undefined }> {
  const items: Incoming[] = [];
  try {
    for await (const item of deframer) items.push(item as Incoming);
    return { items, error: undefined };
  } catch (error) {
    return { items, error: error as WebSocketError };
  }
}

describe('Deframer', () => {
  it('decodes the bytes of a pipe into messages and control frames', async () => {
    const { bytes } = wire(
      `
        81 05 | 48656c6c6f
        82 02 | 00ff
        01 01 | 61
        89 01 | 31         # a ping inside a message
        80 01 | 62
        81 00
        88 05 | 03e9 627965`,
      'client',
    );
    const socket = Readable.from(chunksOf(bytes, 7), { objectMode: false });
    const { items } = await readAll(socket.pipe(new Deframer({ role: 'server' })));
    expect(items).to.deep.equal([
      'Hello',
      hex('00ff'),
      { opcode: 'ping', payload: hex('31') },
      'ab',
      '',
      { opcode: 'close', code: 1001, reason: 'bye' },
    ]);
  });

  it('can be piped into a Framer: an echo', async () => {
    const { bytes } = wire(
      `
        81 05 | 48656c6c6f
        82 00
        01 03 | 48656c
        80 02 | 6c6f`,
      'client',
    );
    const answered: Buffer[] = [];
    const collect = new Writable({
      write(chunk: Buffer, _encoding, done) {
        answered.push(chunk);
        done();
      },
    });
    await pipeline(
      Readable.from([bytes], { objectMode: false }),
      new Deframer({ role: 'server' }),
      new Framer({ role: 'server' }),
      collect,
    );
    expect(Buffer.concat(answered)).to.deep.equal(hex('81 05 48656c6c6f 82 00 81 05 48656c6c6f'));
  });

  it('has its own maxMessageSize', async () => {
    const deframer = new Deframer({ role: 'client', maxMessageSize: 5 });
    deframer.end(hex('81 05 6162636465 81 06'));
    const { items, error } = await readAll(deframer);
    expect(items).to.deep.equal(['abcde']);
    expect([error?.code, error?.closeCode]).to.deep.equal(['WS_ERR_MESSAGE_TOO_BIG', 1009]);
  });

  it('decodes each version', async () => {
    for (const version of ['13', '8', '7'] as const) {
      const deframer = new Deframer({ role: 'client', version });
      deframer.end(hex('81 01 61'));
      expect((await readAll(deframer)).items).to.deep.equal(['a']);
    }
  });

  describe('decodes when it is read, not when bytes are received:', () => {
    const count = 20_000;

    it('decodes almost nothing of a chunk of 20,000 messages that is not read', async () => {
      const deframer = new Deframer({ role: 'client' });
      const decoded = countPushes(deframer);
      deframer.write(numberedFrames(count));
      await turn();
      expect(decoded()).to.be.at.most(2);
      expect(deframer.readableLength).to.be.at.most(2);
      // And it takes no second chunk in before that one is used up.
      expect(deframer.writableLength).to.be.above(count);
    });

    it('pause() in a listener takes effect at the next message, and resume() delivers all in order', async () => {
      const deframer = deframerOf(numberedFrames(count));
      const decoded = countPushes(deframer);
      const seen: Incoming[] = [];
      deframer.on('data', (item: Incoming) => {
        seen.push(item);
        if (seen.length === 3) deframer.pause();
      });
      await once(deframer, 'pause');
      await turn();
      expect(seen).to.deep.equal(numbers(3));
      expect(decoded()).to.be.at.most(5);
      deframer.resume();
      await once(deframer, 'end');
      expect(seen).to.deep.equal(numbers(count));
    });

    it('read() decodes one message at a time', async () => {
      const deframer = deframerOf(numberedFrames(100));
      const decoded = countPushes(deframer);
      await once(deframer, 'readable');
      const first = decoded();
      for (let i = 0; i < 10; i++) expect(deframer.read()).to.equal(String(i));
      expect(decoded() - first).to.be.at.most(11);
    });

    it('a slow loop gets every message in order, and the rest waits undecoded', async () => {
      const deframer = deframerOf(numberedFrames(300));
      const decoded = countPushes(deframer);
      const seen: Incoming[] = [];
      for await (const item of deframer) {
        await turn();
        seen.push(item as Incoming);
        expect(decoded()).to.be.at.most(seen.length + 2);
      }
      expect(seen).to.deep.equal(numbers(300));
    });

    it('a slow destination of a pipe stops the decoding', async () => {
      const deframer = deframerOf(numberedFrames(300));
      const decoded = countPushes(deframer);
      const seen: string[] = [];
      const slow = new Writable({
        objectMode: true,
        highWaterMark: 1,
        write(item: string, _encoding, done) {
          seen.push(item);
          expect(decoded()).to.be.at.most(seen.length + 2);
          setImmediate(done);
        },
      });
      await pipeline(deframer, slow);
      expect(seen).to.deep.equal(numbers(300));
    });
  });

  describe('goes on with the next chunk when one is used up,', () => {
    const chunks = [numberedFrames(3), numberedFrames(2), Buffer.alloc(0), numberedFrames(1)];
    const expected = [...numbers(3), ...numbers(2), ...numbers(1)];

    it('when it flows', async () => {
      const deframer = new Deframer({ role: 'client' });
      const seen: Incoming[] = [];
      for (const chunk of chunks) deframer.write(chunk);
      deframer.on('data', (item: Incoming) => seen.push(item));
      await turn();
      expect(seen).to.deep.equal(expected);
    });

    it('when chunks come while it is paused', async () => {
      const deframer = new Deframer({ role: 'client' });
      const seen: Incoming[] = [];
      deframer.on('data', (item: Incoming) => seen.push(item));
      deframer.pause();
      for (const chunk of chunks) deframer.write(chunk);
      await turn();
      expect(seen).to.deep.equal([]);
      deframer.resume();
      await turn();
      expect(seen).to.deep.equal(expected);
    });

    it('when it is paused at every message', async () => {
      const deframer = new Deframer({ role: 'client' });
      const seen: Incoming[] = [];
      for (const chunk of chunks) deframer.write(chunk);
      deframer.on('data', (item: Incoming) => {
        seen.push(item);
        deframer.pause();
      });
      for (let i = 0; i < 3 * expected.length; i++) {
        deframer.resume();
        await turn();
      }
      expect(seen).to.deep.equal(expected);
    });

    it('when it is read one by one', async () => {
      const deframer = new Deframer({ role: 'client' });
      const seen: Incoming[] = [];
      deframer.on('readable', () => {
        for (let item = deframer.read(); item !== null; item = deframer.read()) seen.push(item);
      });
      for (const chunk of chunks) deframer.write(chunk);
      for (let i = 0; i < 3 * expected.length; i++) await turn();
      expect(seen).to.deep.equal(expected);
    });

    it('when a loop reads it', async () => {
      const deframer = new Deframer({ role: 'client' });
      const seen: Incoming[] = [];
      for (const chunk of chunks) deframer.write(chunk);
      for await (const item of deframer) {
        seen.push(item as Incoming);
        if (seen.length === expected.length) break;
      }
      expect(seen).to.deep.equal(expected);
    }).timeout(2000);
  });

  describe('reports an error after every message before it:', function () {
    this.timeout(2000);
    // Each way of reading, on a chunk with 50 good messages and a bad frame.
    const ways: Record<string, (deframer: Deframer) => Promise<Incoming[]>> = {
      async 'when it flows'(deframer) {
        const seen: Incoming[] = [];
        deframer.on('data', (item: Incoming) => seen.push(item));
        await new Promise((resolve) => deframer.once('error', resolve));
        return seen;
      },
      async 'when it is paused at every message'(deframer) {
        const seen: Incoming[] = [];
        deframer.on('data', (item: Incoming) => {
          seen.push(item);
          deframer.pause();
          setImmediate(() => deframer.resume());
        });
        await new Promise((resolve) => deframer.once('error', resolve));
        return seen;
      },
      async 'when a loop reads it'(deframer) {
        return (await readAll(deframer)).items;
      },
      async 'when a slow loop reads it'(deframer) {
        const seen: Incoming[] = [];
        const error = await (async () => {
          for await (const item of deframer) {
            await turn();
            seen.push(item as Incoming);
          }
        })().catch((reason: Error) => reason);
        expect(error).to.be.an.instanceOf(Error);
        return seen;
      },
      async "when it is read in 'readable' listeners"(deframer) {
        const seen: Incoming[] = [];
        deframer.on('readable', () => {
          for (let item = deframer.read(); item !== null; item = deframer.read()) seen.push(item);
        });
        await new Promise((resolve) => deframer.once('error', resolve));
        return seen;
      },
      async 'when it is piped'(deframer) {
        const seen: Incoming[] = [];
        const slow = new Writable({
          objectMode: true,
          highWaterMark: 1,
          write(item: Incoming, _encoding, done) {
            seen.push(item);
            setImmediate(done);
          },
        });
        deframer.pipe(slow);
        await new Promise((resolve) => deframer.once('error', resolve));
        return seen;
      },
    };
    const endings: Record<string, [code: string, end: (deframer: Deframer) => void]> = {
      'a bad frame in the same chunk': [
        'WS_ERR_RESERVED_BITS',
        (deframer) => deframer.write(Buffer.concat([numberedFrames(50), reservedBit])),
      ],
      'a bad frame in the next chunk': [
        'WS_ERR_RESERVED_BITS',
        (deframer) => {
          deframer.write(numberedFrames(50));
          deframer.write(reservedBit);
        },
      ],
      'an end inside a frame': [
        'WS_ERR_TRUNCATED',
        (deframer) => deframer.end(Buffer.concat([numberedFrames(50), hex('81 05 48')])),
      ],
    };
    for (const [ending, [code, end]] of Object.entries(endings)) {
      for (const [way, read] of Object.entries(ways)) {
        it(`${ending}, ${way}`, async () => {
          const deframer = new Deframer({ role: 'client' });
          const errors: WebSocketError[] = [];
          deframer.on('error', (error: WebSocketError) => errors.push(error));
          end(deframer);
          expect(await read(deframer)).to.deep.equal(numbers(50));
          await turn();
          expect(errors.map((error) => error.code)).to.deep.equal([code]);
          expect(deframer.destroyed).to.equal(true);
        });
      }
    }

    it('not before the messages have been read', async () => {
      const deframer = new Deframer({ role: 'client' });
      const errors: Error[] = [];
      deframer.on('error', (error) => errors.push(error));
      deframer.write(Buffer.concat([numberedFrames(1), reservedBit]));
      await turn();
      expect(errors).to.deep.equal([]);
      expect((await readAll(deframer)).items).to.deep.equal(['0']);
    });
  });

  it("emits 'end' if the bytes end after a whole message", async () => {
    expect(await readAll(deframerOf(numberedFrames(2)))).to.deep.equal({ items: ['0', '1'], error: undefined });
    expect(await readAll(deframerOf(Buffer.alloc(0)))).to.deep.equal({ items: [], error: undefined });
  });

  it('makes a pipeline fail if the bytes were truncated', async () => {
    const cut = Readable.from([hex('81 05 4865')], { objectMode: false });
    const error = await pipeline(cut, new Deframer({ role: 'client' }), new PassThrough({ objectMode: true })).catch(
      (reason: WebSocketError) => reason,
    );
    expect((error as WebSocketError).code).to.equal('WS_ERR_TRUNCATED');
  });

  it('does not catch the exception of a listener', async () => {
    const deframer = new Deframer({ role: 'client' });
    const errors: Error[] = [];
    deframer.on('error', (error) => errors.push(error));
    deframer.on('data', () => {
      throw new Error('a mistake in the program');
    });
    // The flow starts in the next tick; from then on a chunk is decoded inside of write().
    await turn();
    expect(() => deframer.write(numberedFrames(2))).to.throw('a mistake in the program');
    expect(errors).to.deep.equal([]);
  });

  describe('refuses an invalid option and names the accepted values:', () => {
    const bad: [what: string, options: unknown, message: string][] = [
      ['no role', {}, "option role must be 'server' or 'client', not "],
      ['an unknown role', { role: 'peer' }, "option role must be 'server' or 'client', not "],
      ['an unknown version', { role: 'server', version: '99' }, "option version must be one of '13', '8', '7'"],
      ['a version that is a number', { role: 'server', version: 13 }, 'option version must be'],
      ...[0, -1, 1.5, 'x', Number.NaN, null].map((maxMessageSize): [string, unknown, string] => [
        `maxMessageSize ${JSON.stringify(maxMessageSize)}`,
        { role: 'server', maxMessageSize },
        'option maxMessageSize must be a positive integer of bytes, or Infinity',
      ]),
      ['no options', undefined, 'options must be an object, not undefined'],
    ];
    for (const [what, options, message] of bad) {
      it(what, () => {
        const error = thrownBy(() => new Deframer(options as DeframerOptions));
        expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
        expect(error.message).to.include(message);
      });
    }
  });
});
