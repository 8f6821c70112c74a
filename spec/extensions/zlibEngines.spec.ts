import { mock } from 'node:test';
import zlib from 'node:zlib';
import { expect } from 'chai';
import { deflateOnThread, SyncDeflater, SyncInflater } from '../../lib/extensions/zlibEngines';
import { hex } from '../support/vectors';

const settings = { windowBits: 15, level: 1, memLevel: 8 };
const limits = { windowBits: 15, maxOutputLength: 100 };

describe('The engines of zlib', () => {
  it('keep their window from message to message, until reset()', () => {
    const deflater = new SyncDeflater(settings);
    const inflater = new SyncInflater(limits);
    const hello = Buffer.from('Hello');
    const messages = [deflater.deflate(hello), deflater.deflate(hello)];
    expect(messages).to.deep.equal([hex('f248cdc9c90700'), hex('f200110000')]);
    for (const message of messages)
      expect(inflater.inflate(Buffer.concat([message, hex('0000ffff')]))).to.deep.equal(hello);
    deflater.reset();
    expect(deflater.deflate(hello)).to.deep.equal(messages[0]);
    deflater.close();
    inflater.close();
  });

  it('cannot be used after close(), which frees their memory', () => {
    const deflater = new SyncDeflater(settings);
    const inflater = new SyncInflater(limits);
    deflater.close();
    inflater.close();
    expect(() => deflater.deflate(Buffer.from('Hello'))).to.throw('closed');
    expect(() => inflater.inflate(hex('f248cdc9c90700'))).to.throw('closed');
  });

  it('throw the error of zlib, and throw it again when they are used after it', () => {
    const inflater = new SyncInflater(limits);
    for (const input of ['ffff', 'f248cdc9c90700'])
      expect(() => inflater.inflate(hex(input)))
        .to.throw()
        .with.property('code', 'Z_DATA_ERROR');
    inflater.close();
  });

  describe('on other threads', () => {
    type Callback = (error: Error | null, output: Buffer) => void;
    /** The callbacks of the jobs that zlib has begun and not finished. */
    let begun: Callback[];

    beforeEach(() => {
      begun = [];
      mock.method(
        zlib,
        'deflateRaw',
        (_payload: Uint8Array, _options: object, done: Callback) => void begun.push(done),
      );
    });

    afterEach(() => mock.restoreAll());

    const start = () => deflateOnThread(Buffer.from('a message'), settings);
    const finishFirst = () => begun.shift()?.(null, hex('010000ffff'));
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

    it('are four at most: the other jobs wait for their turn', async () => {
      for (let round = 0; round < 3; round++) {
        const results = Array.from({ length: 6 }, start);
        await turn();
        expect(begun).to.have.length(4);
        finishFirst();
        await turn();
        expect(begun).to.have.length(4);
        for (let i = 0; i < 5; i++) {
          finishFirst();
          await turn();
        }
        expect(await Promise.all(results)).to.deep.equal(Array.from({ length: 6 }, () => hex('01')));
      }
    });

    it('reject with the error of zlib, and make room for the next job', async () => {
      const failure = new Error('no memory');
      for (let i = 0; i < 5; i++) {
        const result = start().catch((error) => error);
        await turn();
        begun.shift()?.(failure, Buffer.alloc(0));
        expect(await result).to.equal(failure);
      }
    });
  });
});
