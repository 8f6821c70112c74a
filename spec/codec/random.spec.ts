import { expect } from 'chai';
import { isWebSocketKey } from '../../lib/codec/acceptKey';
import { createMaskingKey, createWebSocketKey } from '../../lib/codec/random';

describe('createMaskingKey()', () => {
  it('makes a new key each time, in all of its 32 bits', () => {
    // More than the pool holds, so that it is filled again.
    const keys = Array.from({ length: 3000 }, createMaskingKey);
    // Among 3000 random keys two are alike once in a thousand runs, and five never.
    expect(new Set(keys).size).to.be.above(2995);
    let zeros = 0;
    let ones = 0;
    for (const each of keys) {
      expect(each | 0).to.equal(each);
      zeros |= ~each;
      ones |= each;
    }
    expect([zeros, ones]).to.deep.equal([-1, -1]);
  });
});

describe('createWebSocketKey()', () => {
  it('makes a new key each time, in the form that servers check', () => {
    const keys = Array.from({ length: 1000 }, createWebSocketKey);
    expect(new Set(keys).size).to.equal(1000);
    for (const key of keys) expect(isWebSocketKey(key), key).to.equal(true);
    // All 16 bytes are drawn, also where the pool comes to its end.
    const bytes = keys.map((key) => Buffer.from(key, 'base64'));
    for (let i = 0; i < 16; i++) expect(new Set(bytes.map((each) => each[i])).size).to.be.above(200);
    expect(bytes.filter((each) => each.includes(Buffer.alloc(4)))).to.deep.equal([]);
  });
});
