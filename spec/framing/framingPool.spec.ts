import { expect } from 'chai';
import { FramingPool, framingPoolFor } from '../../lib/framing/framingPool';
import { settingsFor } from '../../lib/options';
import { rfc6455 } from '../../lib/versions/rfc6455';

const settingsWith = (extensions: string) =>
  settingsFor({ perMessageDeflate: true }, 'client', { version: '13', extensions }, rfc6455.capabilities);

const plain = settingsWith('');
const compressing = settingsWith('permessage-deflate');

describe('FramingPool', () => {
  it('lends an idle reader and an idle writer that were returned to the next connection', () => {
    const pool = new FramingPool(plain);
    const reader = pool.takeReader();
    const writer = pool.takeWriter();
    expect([pool.returnReader(reader), pool.returnWriter(writer)]).to.deep.equal([undefined, undefined]);
    expect(pool.takeReader()).to.equal(reader);
    expect(pool.takeWriter()).to.equal(writer);
    expect(pool.takeReader()).to.not.equal(reader);
    expect(pool.takeWriter()).to.not.equal(writer);
  });

  it('does not take back a reader in the middle of a frame or a message', () => {
    for (const bytes of [Buffer.of(0x81), Buffer.of(0x01, 1, 0x61)]) {
      const pool = new FramingPool(plain);
      const reader = pool.takeReader();
      reader.feed(bytes);
      expect(reader.next()).to.equal(undefined);
      expect(pool.returnReader(reader)).to.equal(reader);
      expect(pool.takeReader()).to.not.equal(reader);
    }
  });

  it('does not take back a writer that has bytes', () => {
    const pool = new FramingPool(plain);
    const writer = pool.takeWriter();
    writer.write('a');
    expect(pool.returnWriter(writer)).to.equal(writer);
    writer.take();
    expect(pool.returnWriter(writer)).to.equal(undefined);
  });

  it('does not take back a reader or a writer with compression: they depend on earlier messages', () => {
    const pool = new FramingPool(compressing);
    const reader = pool.takeReader();
    const writer = pool.takeWriter();
    expect([pool.returnReader(reader), pool.returnWriter(writer)]).to.deep.equal([reader, writer]);
  });

  it('returnReader(): returns undefined for a connection without a reader', () => {
    expect(new FramingPool(plain).returnReader(undefined)).to.equal(undefined);
  });

  it('keeps at most 32 of each', () => {
    const pool = new FramingPool(plain);
    const readers = Array.from({ length: 40 }, () => pool.takeReader());
    const writers = Array.from({ length: 40 }, () => pool.takeWriter());
    for (const reader of readers) pool.returnReader(reader);
    for (const writer of writers) pool.returnWriter(writer);
    const again = <T>(take: () => T, known: T[]) =>
      Array.from({ length: 40 }, take).filter((taken) => known.includes(taken)).length;
    expect(again(() => pool.takeReader(), readers)).to.equal(32);
    expect(again(() => pool.takeWriter(), writers)).to.equal(32);
  });
});

describe('framingPoolFor()', () => {
  it('returns one pool for all connections with the same settings', () => {
    expect(framingPoolFor(plain)).to.equal(framingPoolFor(plain));
    expect(framingPoolFor(plain)).to.not.equal(framingPoolFor(compressing));
  });
});
