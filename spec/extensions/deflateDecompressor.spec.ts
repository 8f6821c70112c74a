import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { type DecompressorSettings, DeflateDecompressor } from '../../lib/extensions/deflateDecompressor';
import { EnginesInUse } from '../support/enginesInUse';
import { rejectionOf } from '../support/rejection';
import { thrownBy } from '../support/thrown';
import { Dice, hex } from '../support/vectors';
import { VirtualTime } from '../support/virtualTime';

const noise = (length: number) => new Dice(length).bytes(length);

/** A message as a peer compresses it that has sent the bytes `before`. */
function compressed(message: Buffer, before?: Buffer): Buffer {
  const dictionary = before && { dictionary: before.subarray(-32 * 1024) };
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH, ...dictionary }).subarray(0, -4);
}

/** A message whose last block is final (RFC 7692 §7.2.3.4), or several such streams. */
const final = (...streams: Buffer[]) => Buffer.concat([...streams.map((stream) => deflateRawSync(stream)), hex('00')]);

/** A message that takes `size` bytes in its compressed form: one block that is not compressed. */
function storedBlock(size: number): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(size - 6, 1);
  header.writeUInt16LE(~(size - 6) & 0xffff, 3);
  return Buffer.concat([header, noise(size - 6), hex('00')]);
}

describe('DeflateDecompressor', () => {
  let decompressor: DeflateDecompressor;

  function make(settings: Partial<DecompressorSettings> = {}): DeflateDecompressor {
    const usual = { windowBits: 15, noContextTakeover: false, maxMessageSize: 1_000_000, idleRelease: 60_000 };
    decompressor = new DeflateDecompressor({ ...usual, ...settings });
    return decompressor;
  }

  afterEach(() => decompressor.release());

  const small = noise(300);

  /** Reads so many small messages that the decompressor keeps an engine. */
  function warm(): void {
    for (let i = 0; i < 3; i++) expect(decompressor.decompress(compressed(small))).to.deep.equal(small);
  }

  describe('reads a message that refers to one before it', () => {
    const atOnce = (payload: Buffer) => decompressor.decompress(payload);
    const inParts = (payload: Buffer) =>
      Buffer.concat([
        ...decompressor.decompressPart(payload.subarray(0, 50), false),
        ...decompressor.decompressPart(payload.subarray(50), true),
      ]);
    const large = noise(40_000);
    const growing = Buffer.concat([Buffer.alloc(300_000), small]);
    const other = noise(400);
    const cases: readonly (readonly [what: string, message: Buffer, payload: Buffer, read: typeof atOnce])[] = [
      ['which was small', other, compressed(other), atOnce],
      ['which was large', large, compressed(large), atOnce],
      ['which grew to more than 256 KiB', growing, compressed(growing), atOnce],
      ['which ended with a final block', other, final(other), atOnce],
      ['which was read in parts', other, compressed(other), inParts],
    ];
    for (const [what, message, payload, read] of cases)
      it(`${what}`, async () => {
        make();
        warm();
        expect(await read(payload)).to.deep.equal(message);
        const next = message.subarray(-200);
        const reference = compressed(next, message);
        expect(reference.length).to.be.below(20);
        expect(await decompressor.decompress(reference)).to.deep.equal(next);
      });
  });

  describe('keeps an engine of zlib', () => {
    let time: VirtualTime;
    let engines: EnginesInUse;

    beforeEach(() => {
      time = new VirtualTime();
      time.start();
      engines = new EnginesInUse();
    });

    afterEach(() => {
      engines[Symbol.dispose]();
      time[Symbol.dispose]();
    });

    const pass = (milliseconds: number) => time.pass(milliseconds, milliseconds);
    const read = (payload: Buffer) => {
      decompressor.decompress(payload);
      return engines.count;
    };
    const reference = compressed(small, small);

    it('from the second message on, until it is idle', async () => {
      make({ idleRelease: 1000 });
      // The first message is decompressed by the engine that all connections share.
      expect(read(compressed(small))).to.equal(1);
      expect([read(reference), read(reference)]).to.deep.equal([2, 2]);
      await pass(1001);
      expect(engines.count).to.equal(1);
      expect([read(reference), read(reference)]).to.deep.equal([1, 2]);
    });

    it('until release(), which leaves no timer either', () => {
      make();
      read(compressed(small));
      const timers = time.active.size;
      expect(read(reference)).to.equal(2);
      decompressor.release();
      expect(engines.count).to.equal(1);
      expect(time.active.size).to.be.below(timers);
      expect(decompressor.decompress(reference)).to.deep.equal(small);
    });

    it('for a message that is read in parts, until its end', () => {
      make();
      expect([...decompressor.decompressPart(compressed(small).subarray(0, 50), false)]).to.have.length(1);
      expect(engines.count).to.equal(1);
      expect([...decompressor.decompressPart(compressed(small).subarray(50), true)]).to.have.length(1);
      expect(engines.count).to.equal(0);
    });
  });

  it('decompresses messages of 32 KiB and more on another thread', async () => {
    make({ noContextTakeover: true });
    expect(decompressor.decompress(storedBlock(32 * 1024 - 1))).to.be.instanceOf(Buffer);
    const later = decompressor.decompress(storedBlock(32 * 1024));
    expect(later).to.be.instanceOf(Promise);
    expect(await later).to.deep.equal(noise(32 * 1024 - 6));
  });

  it('refuses a message at once if it need not go to another thread', async () => {
    const bomb = compressed(Buffer.alloc(2_000_000));
    for (const maxMessageSize of [1000, 256 * 1024]) {
      make({ maxMessageSize });
      const error = thrownBy(() => decompressor.decompress(bomb));
      expect([error.code, error.message.includes(`${maxMessageSize} bytes`)]).to.deep.equal([
        'WS_ERR_MESSAGE_TOO_BIG',
        true,
      ]);
    }
    make();
    expect((await rejectionOf(Promise.resolve(decompressor.decompress(bomb)))).code).to.equal('WS_ERR_MESSAGE_TOO_BIG');
    const { code, cause } = thrownBy(() => decompressor.decompress(hex('ffff')));
    expect(code).to.equal('WS_ERR_INVALID_COMPRESSION');
    expect(cause).to.have.property('code', 'Z_DATA_ERROR');
  });

  it('may have its limit, and not a byte more, in all streams of a message together', async () => {
    make({ maxMessageSize: 500 });
    const whole = final(noise(300), noise(200));
    expect(await decompressor.decompress(whole)).to.deep.equal(Buffer.concat([noise(300), noise(200)]));
    for (const sizes of [
      [300, 201],
      [500, 1],
      [200, 200, 200],
    ]) {
      const result = decompressor.decompress(final(...sizes.map(noise)));
      expect((await rejectionOf(Promise.resolve(result))).code, `${sizes}`).to.equal('WS_ERR_MESSAGE_TOO_BIG');
    }
  });
});
