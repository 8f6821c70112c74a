import { expect } from 'chai';
import { maskedCopy, maskInPlace, maskIntoScratch, maskingScratch, maskingWindow } from '../../lib/codec/masking';
import { exampleKey, hex, masked } from '../support/vectors';

const key = exampleKey.readInt32LE(0);

function countingBytes(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => i * 7));
}

describe('maskIntoScratch()', () => {
  it('masks the example of RFC 6455 §5.7', () => {
    const start = maskIntoScratch(Buffer.from('Hello'), 0, 5, key, 0);
    expect(maskingScratch.subarray(start, start + 5)).to.deep.equal(hex('7f9f4d5158'));
  });

  it('masks any length, at any position in the source and in the payload', () => {
    const source = countingBytes(220);
    // Lengths on both sides of where the word loop takes over, and each remainder of its steps.
    for (let length = 0; length <= 200; length++) {
      for (let phase = 0; phase < 6; phase++) {
        const from = length % 5;
        const start = maskIntoScratch(source, from, from + length, key, phase);
        const turned = Buffer.from([0, 1, 2, 3].map((i) => exampleKey.readUInt8((i + phase) % 4)));
        const expected = masked(source.subarray(from, from + length), turned);
        const actual = maskingScratch.subarray(start, start + length);
        expect(actual.equals(expected), `${length} bytes after ${phase}`).to.equal(true);
      }
    }
  });

  it('masks a whole window, at every phase of the key', () => {
    const source = countingBytes(maskingWindow);
    for (const phase of [0, 1, 2, 3]) {
      const start = maskIntoScratch(source, 0, source.length, key, phase);
      const turned = Buffer.from([0, 1, 2, 3].map((i) => exampleKey.readUInt8((i + phase) % 4)));
      expect(maskingScratch.subarray(start, start + source.length).equals(masked(source, turned))).to.equal(true);
    }
  });

  it('masks correctly at positions of many gigabytes', () => {
    const start = maskIntoScratch(Buffer.from('ello'), 0, 4, key, 2 ** 40 + 1);
    expect(maskingScratch.subarray(start, start + 4)).to.deep.equal(hex('9f4d5158'));
  });

  it('does not change the source', () => {
    const source = countingBytes(1000);
    maskIntoScratch(source, 0, 1000, key, 3);
    expect(source.equals(countingBytes(1000))).to.equal(true);
  });
});

describe('maskInPlace()', () => {
  it('masks exactly the given range, also over more than one window', () => {
    const length = 2 * maskingWindow + 5;
    const target = countingBytes(length + 6);
    const expected = Buffer.concat([
      target.subarray(0, 3),
      masked(target.subarray(3, 3 + length), exampleKey),
      target.subarray(3 + length),
    ]);
    maskInPlace(target, 3, 3 + length, key);
    expect(target.equals(expected)).to.equal(true);
  });

  it('returns the original bytes if it is applied twice', () => {
    const target = countingBytes(100);
    maskInPlace(target, 0, 100, key);
    expect(target.equals(countingBytes(100))).to.equal(false);
    maskInPlace(target, 0, 100, key);
    expect(target.equals(countingBytes(100))).to.equal(true);
  });
});

describe('maskedCopy()', () => {
  it('masks any length in memory of its own, and does not change the source', () => {
    const source = countingBytes(300);
    for (let length = 0; length <= 200; length++) {
      const from = length % 7;
      const part = source.subarray(from, from + length);
      const copy = maskedCopy(source, from, from + length, key);
      expect(copy.equals(masked(part, exampleKey)), `${length} bytes`).to.equal(true);
      expect([...part]).to.deep.equal([...countingBytes(300).subarray(from, from + length)]);
    }
  });

  it('masks a whole window', () => {
    const source = countingBytes(maskingWindow);
    expect(maskedCopy(source, 0, source.length, key).equals(masked(source, exampleKey))).to.equal(true);
  });
});
