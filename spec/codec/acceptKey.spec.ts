import { expect } from 'chai';
import { acceptKey, isWebSocketKey } from '../../lib/codec/acceptKey';

describe('acceptKey()', () => {
  it('returns the value for the key of RFC 6455 §1.3, and for another one', () => {
    expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).to.equal('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(acceptKey('x3JJHMbDL1EzLkh9GBhXDw==')).to.equal('HSmrc0sMlYUkAGmm5OPpG2HaGWk=');
  });
});

describe('isWebSocketKey()', () => {
  it('accepts 16 bytes in base64', () => {
    for (let byte = 0; byte < 256; byte++) {
      const key = Buffer.alloc(16, byte).toString('base64');
      expect(isWebSocketKey(key), key).to.equal(true);
    }
  });

  const bad: Record<string, string> = {
    'no bytes': '',
    '15 bytes': Buffer.alloc(15, 1).toString('base64'),
    '17 bytes': Buffer.alloc(17, 1).toString('base64'),
    'padding that is missing': 'dGhlIHNhbXBsZSBub25jZQ',
    'padding that is too long': 'dGhlIHNhbXBsZSBub25jZQ===',
    'bits that 16 bytes do not have': 'dGhlIHNhbXBsZSBub25jZR==',
    'the alphabet of URLs': '-_hlIHNhbXBsZSBub25jZQ==',
    'a space before it': ' dGhlIHNhbXBsZSBub25jZQ==',
    'a line break after it': 'dGhlIHNhbXBsZSBub25jZQ==\n',
    'two keys, as Node joins them': 'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==',
  };
  for (const [what, key] of Object.entries(bad)) {
    it(`refuses ${what}`, () => expect(isWebSocketKey(key)).to.equal(false));
  }
});
