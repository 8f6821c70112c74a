import { runInNewContext, runInThisContext } from 'node:vm';
import { expect } from 'chai';
import { isBytes, toBytes } from '../../lib/codec/bytes';
import { hex } from '../support/vectors';

/** Values that hold the bytes 01 02 03 04, made in this realm or in another one. */
const holders: readonly string[] = [
  'Uint8Array.of(1, 2, 3, 4)',
  'Uint8Array.of(0, 1, 2, 3, 4, 5).subarray(1, 5)',
  'Uint8ClampedArray.of(1, 2, 3, 4)',
  'new Uint16Array(Uint8Array.of(1, 2, 3, 4).buffer)',
  'new DataView(Uint8Array.of(0, 1, 2, 3, 4).buffer, 1)',
  'Uint8Array.of(1, 2, 3, 4).buffer',
  'new Uint8Array(new SharedArrayBuffer(4)).map((_, i) => i + 1)',
  '(() => { const shared = new SharedArrayBuffer(4); new Uint8Array(shared).set([1, 2, 3, 4]); return shared; })()',
];

describe('toBytes()', () => {
  for (const source of holders) {
    it(`returns the bytes of ${source}, of this realm and of another`, () => {
      for (const value of [runInThisContext(source), runInNewContext(source)]) {
        expect(Buffer.from(toBytes(value) as Uint8Array)).to.deep.equal(hex('01020304'));
      }
    });
  }

  it('returns undefined for any other value', () => {
    for (const value of [undefined, null, 1, 'x', {}, [1], { length: 1, 0: 1 }, new Map(), runInNewContext('({})')])
      expect(toBytes(value)).to.equal(undefined);
  });
});

describe('isBytes()', () => {
  it('is true for a Uint8Array of any realm, and for nothing else', () => {
    for (const value of [Uint8Array.of(1), Buffer.of(1), runInNewContext('Uint8Array.of(1)')])
      expect(isBytes(value)).to.equal(true);
    for (const value of [
      new Uint8ClampedArray(1),
      new ArrayBuffer(1),
      new DataView(new ArrayBuffer(1)),
      'x',
      [1],
      null,
    ])
      expect(isBytes(value)).to.equal(false);
  });
});
