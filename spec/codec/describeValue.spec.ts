import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { describeNoMessage, describeValue } from '../../lib/codec/describeValue';

describe('describeValue()', () => {
  for (const [value, described] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [false, 'false'],
    [10n, '10n'],
    ['x', "'x'"],
    ['x'.repeat(51), `'${'x'.repeat(50)}'... 1 more character`],
    [Symbol('x'), 'Symbol(x)'],
    [() => {}, 'a function'],
    [[1, 'a'], "[ 1, 'a' ]"],
    [runInNewContext('[1]'), '[ 1 ]'],
    [{ a: 1 }, 'a plain object'],
    [Object.create(null), 'a plain object'],
    [runInNewContext('({ a: 1 })'), 'a plain object'],
    [Promise.resolve(1), 'an instance of Promise'],
    [new Date(), 'an instance of Date'],
    [new (class {})(), 'an object'],
  ] as const) {
    it(`describes a value as ${described}`, () => expect(describeValue(value)).to.equal(described));
  }
});

describe('describeNoMessage()', () => {
  for (const [value, described] of [
    [42, '42'],
    [[1], '[ 1 ]: JSON.stringify it'],
    [{ a: 1 }, 'a plain object: JSON.stringify it'],
    [runInNewContext('({ a: 1 })'), 'a plain object: JSON.stringify it'],
    [Promise.resolve(1), 'an instance of Promise: await it'],
    [new Blob(['x']), 'an instance of Blob: write its stream(), or await its arrayBuffer()'],
    [new Date(), 'an instance of Date'],
  ] as const) {
    it(`describes a value with its remedy as ${described}`, () => expect(describeNoMessage(value)).to.equal(described));
  }
});

describe('What describeValue() leaves out', () => {
  it('shortens arrays, the strings in them and what is nested, in one line', () => {
    const value = ['x'.repeat(60), [1], 3, 4, 5, 6];
    expect(describeValue(value)).to.equal(
      `[ '${'x'.repeat(50)}'... 10 more characters, [Array], 3, 4, 5, ... 1 more item ]`,
    );
    expect(describeValue(Array.from({ length: 5 }, () => 'y'.repeat(40)))).to.not.include('\n');
  });

  it('names a Promise of any class, and an object whose class has no name', () => {
    class Deferred extends Promise<void> {}
    expect(describeValue(Deferred.resolve())).to.equal('an instance of Promise');
    expect(describeValue(new (class {})())).to.equal('an object');
    for (const named of [{ name: 5 }, undefined])
      expect(describeValue(Object.create({ constructor: named }))).to.equal('an object');
  });
});
