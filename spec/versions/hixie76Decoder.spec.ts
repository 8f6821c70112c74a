import { expect } from 'chai';
import { Hixie76Decoder } from '../../lib/versions/hixie76Decoder';
import { decode, hex } from '../support/vectors';

describe('Hixie76Decoder', () => {
  /** A decoder that has read these bytes. */
  function fedWith(bytes: string): Hixie76Decoder {
    const decoder = new Hixie76Decoder('server', { maxMessageSize: 1000, closes: true });
    decode(decoder, [hex(bytes)], { end: false });
    return decoder;
  }

  it('partialSize: is the number of received bytes of a text that has not ended, and 0 otherwise', () => {
    for (const [bytes, size] of [
      ['', 0],
      ['00', 0],
      ['00 616263', 3],
      ['00 616263 ff', 0],
      ['01 616263', 0],
    ] as const) {
      const decoder = fedWith(bytes);
      expect([decoder.partialSize, decoder.inMessage], bytes).to.deep.equal([size, bytes === '00' || size > 0]);
    }
  });

  it('idle: is false while bytes wait, inside a frame, and after the closing handshake', () => {
    expect(fedWith('00 61 ff').idle).to.equal(true);
    for (const bytes of ['00', '01', '80', 'ff 00']) expect(fedWith(bytes).idle, bytes).to.equal(false);
    const decoder = fedWith('');
    decoder.feed(hex('00 61 ff 00 62 ff'));
    expect([decoder.next(), decoder.idle]).to.deep.equal(['a', false]);
    expect([decoder.next(), decoder.next(), decoder.idle]).to.deep.equal(['b', undefined, true]);
  });
});
