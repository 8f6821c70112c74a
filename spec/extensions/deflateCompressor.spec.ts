import { inflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { type CompressorSettings, DeflateCompressor } from '../../lib/extensions/deflateCompressor';
import { EnginesInUse } from '../support/enginesInUse';
import { Dice } from '../support/vectors';
import { VirtualTime } from '../support/virtualTime';

const flushTail = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const text = 'a message '.repeat(20);
/** Bytes that do not become smaller. */
const noise = (length = 200) => new Dice(7).bytes(length);
const empty = Buffer.from([0x00]);

describe('DeflateCompressor', () => {
  let compressor: DeflateCompressor | undefined;

  function make(settings: Partial<CompressorSettings> = {}): DeflateCompressor {
    const usual = {
      windowBits: 15,
      level: 1,
      memLevel: 8,
      noContextTakeover: false,
      threshold: 100,
      idleRelease: 60_000,
    };
    compressor = new DeflateCompressor({ ...usual, ...settings });
    return compressor;
  }

  afterEach(() => compressor?.release());

  /** What a receiver that has no earlier messages makes of a message. */
  const alone = (compressed: Uint8Array | undefined) =>
    `${inflateRawSync(Buffer.concat([compressed ?? Buffer.alloc(0), flushTail]), { finishFlush: 2 })}`;

  it('compresses messages from the threshold on, by their bytes, unless the program says otherwise', async () => {
    const deflate = make({ threshold: 100 });
    expect(await deflate.compress('a'.repeat(99), undefined)).to.equal(undefined);
    expect(await deflate.compress(Buffer.alloc(99), undefined)).to.equal(undefined);
    expect(await deflate.compress('a'.repeat(100), undefined)).to.have.length.below(20);
    expect(await deflate.compress(Buffer.alloc(100), undefined)).to.have.length.below(20);
    // 34 characters of three bytes each.
    expect(await deflate.compress('€'.repeat(34), undefined)).to.have.length.below(20);
    expect(await deflate.compress('€'.repeat(33), undefined)).to.equal(undefined);
    expect(await deflate.compress('a', true)).to.have.length.above(0);
    expect(await deflate.compress('a'.repeat(1000), false)).to.equal(undefined);
  });

  it('has one byte for an empty message that is to be compressed (RFC 7692 §7.2.3.6)', async () => {
    const deflate = make({ threshold: 0 });
    for (const payload of ['', Buffer.alloc(0)])
      for (const wanted of [true, undefined]) {
        expect(await deflate.compress(payload, wanted)).to.deep.equal(empty);
        expect(await deflate.compressAlone(payload, wanted)).to.deep.equal(empty);
      }
  });

  it('refers to earlier messages, except to those before a pause, and not without context takeover', async () => {
    const deflate = make();
    const lengths: number[] = [];
    for (let i = 0; i < 4; i++) lengths.push((await deflate.compress(text, undefined))?.length ?? -1);
    const [first = 0, second, third = 0, fourth] = lengths;
    expect(second).to.equal(first);
    expect(third).to.be.below(first);
    expect(fourth).to.equal(third);
    deflate.release();
    expect(await deflate.compress(text, undefined)).to.have.length(first);

    const forgetful = make({ noContextTakeover: true });
    for (let i = 0; i < 4; i++) expect(await forgetful.compress(text, undefined)).to.have.length(first);
  });

  it('has an engine of its own from the second message on, until it is idle or release() is called', async () => {
    using time = new VirtualTime();
    time.start();
    using engines = new EnginesInUse();
    const deflate = make({ idleRelease: 1000 });
    const send = () => {
      deflate.compress(text, undefined);
      return engines.count;
    };
    // The first message is compressed by the one that all connections share.
    const counts = [1, 2, 2];
    expect(counts.map(send)).to.deep.equal(counts);
    await time.pass(1001, 1001);
    expect(engines.count).to.equal(1);
    expect(counts.map(send)).to.deep.equal(counts);
    expect(time.delays).to.include(1000);
    deflate.release();
    expect(engines.count).to.equal(1);
    expect(time.delays).to.not.include(1000);
  });

  it('sends only messages compressed that become smaller, and not those that keep their length', async () => {
    const differences = new Set<number>();
    for (let repeated = 0; repeated < 20; repeated++) {
      const message = Buffer.concat([noise(40), noise(40).subarray(0, repeated)]);
      const compressed = (await make({ threshold: 0 }).compress(message, true)) as Uint8Array;
      const difference = compressed.length - message.length;
      const expected = difference < 0 ? compressed : undefined;
      expect(await make({ threshold: 0 }).compress(message, undefined)).to.deep.equal(expected);
      expect(await make({ threshold: 0 }).compressAlone(message, undefined)).to.deep.equal(expected);
      differences.add(Math.sign(difference));
    }
    expect([...differences].sort()).to.deep.equal([-1, 0, 1]);
  });

  describe('for messages that do not become smaller', () => {
    const compressible = Buffer.from(text);

    /** How many messages are left out untried when so many tries, one after the other, have made nothing smaller. */
    async function skippedAfter(failures: number): Promise<number> {
      const deflate = make();
      let skipped = 0;
      for (let i = 0; i < failures; i++) {
        for (let j = 0; j < skipped; j++) await deflate.compress(noise(), undefined);
        expect(await deflate.compress(noise(), undefined)).to.equal(undefined);
        skipped = Math.min(15, 2 * skipped + 1);
      }
      let count = 0;
      while ((await deflate.compress(compressible, undefined)) === undefined) count++;
      // One success, and all are tried again.
      expect(await deflate.compress(compressible, undefined)).to.have.length.above(0);
      return count;
    }

    it('leaves out one, three, seven, and never more than fifteen untried', async () => {
      const counts: number[] = [];
      for (const failures of [0, 1, 2, 3, 4, 5, 9]) counts.push(await skippedAfter(failures));
      expect(counts).to.deep.equal([0, 1, 3, 7, 15, 15, 15]);
    });

    it('counts texts and bytes by themselves, and none that the program wants compressed', async () => {
      const deflate = make();
      expect(await deflate.compress(noise(), true)).to.have.length.above(200);
      expect(await deflate.compress(compressible, undefined)).to.have.length.below(200);
      expect(await deflate.compress(noise(), undefined)).to.equal(undefined);
      expect(await deflate.compress(text, undefined)).to.have.length.below(200);
      expect(await deflate.compress(compressible, undefined)).to.equal(undefined);
    });

    it('forgets what the peer was not sent: the next message refers to none before', async () => {
      const deflate = make();
      for (let i = 0; i < 3; i++) await deflate.compress(text, undefined);
      expect(await deflate.compress(noise(), undefined)).to.equal(undefined);
      expect(alone(await deflate.compress(text, undefined))).to.equal(text);
    });
  });

  it('compresses for many receivers without earlier messages, and forgets its own when that was sent', async () => {
    const deflate = make();
    for (let i = 0; i < 3; i++) await deflate.compress(text, undefined);
    expect(alone(await deflate.compressAlone(text, undefined))).to.equal(text);
    expect(await deflate.compress(text, undefined)).to.have.length.below(20);
    deflate.sentAlone();
    expect(alone(await deflate.compress(text, undefined))).to.equal(text);
    expect(await deflate.compressAlone(noise(), undefined)).to.equal(undefined);
    expect(await deflate.compressAlone(noise(), true)).to.have.length.above(200);
    expect(await deflate.compressAlone(text, false)).to.equal(undefined);
  });

  it('compresses large messages on another thread, and refers to none before them afterwards', async () => {
    const deflate = make();
    const large = 'b'.repeat(32 * 1024);
    for (const compress of ['compress', 'compressAlone'] as const) {
      expect(deflate[compress](large.slice(1), undefined)).to.be.instanceOf(Uint8Array);
      const later = deflate[compress](large, undefined);
      expect(later).to.be.instanceOf(Promise);
      expect(alone(await later)).to.equal(large);
      expect(await deflate[compress](noise(32 * 1024), undefined)).to.equal(undefined);
    }
    for (let i = 0; i < 3; i++) await deflate.compress(text, undefined);
    await deflate.compress(large, true);
    expect(alone(await deflate.compress(text, true))).to.equal(text);
  });

  it('has a name for each way to compress, so that a message is compressed once for all receivers that agree', () => {
    expect(make().variant).to.equal('deflate/15/1/8/100');
    expect(make({ windowBits: 10, level: 9, memLevel: 4, threshold: 0 }).variant).to.equal('deflate/10/9/4/0');
  });
});
