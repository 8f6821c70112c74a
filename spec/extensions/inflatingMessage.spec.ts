import { expect } from 'chai';
import { InflatingMessage } from '../../lib/extensions/inflatingMessage';
import { SlidingWindow } from '../../lib/extensions/slidingWindow';
import { EnginesInUse } from '../support/enginesInUse';
import { thrownBy } from '../support/thrown';
import { hex } from '../support/vectors';

const messageOf = (limit = 1000) => new InflatingMessage(15, new SlidingWindow(32 * 1024), limit);

/** "Hello" in two parts. */
const [hel, lo] = [hex('f248cd'), hex('c9c90700')];

describe('InflatingMessage', () => {
  it('returns the bytes of each part at once, and no empty piece for a part without one', () => {
    const message = messageOf();
    const pieces = ['f2', '48cd', '', 'c9c90700'].map((part) => [...message.inflate(hex(part), false)].map(String));
    expect(pieces).to.deep.equal([[], ['He'], [], ['llo']]);
    expect([...message.inflate(Buffer.alloc(0), true)]).to.deep.equal([]);
    message.close();
  });

  it('gives the tail that the sender has left out to a block that is not at its end', () => {
    const message = messageOf();
    // A block of four bytes that are not compressed, without the bytes.
    expect([...message.inflate(hex('000400fbff'), false)]).to.deep.equal([]);
    expect([...message.inflate(Buffer.alloc(0), true)]).to.deep.equal([hex('0000ffff')]);
    message.close();
  });

  it('may have its limit, and not a byte more, in all parts together', () => {
    for (const limit of [4, 5]) {
      const message = messageOf(limit);
      expect([...message.inflate(hel, false)]).to.deep.equal([Buffer.from('He')]);
      const rest = () => Buffer.concat([...message.inflate(lo, true)]);
      if (limit === 5) expect(rest()).to.deep.equal(Buffer.from('llo'));
      else {
        const { code, message: text } = thrownBy(rest);
        expect([code, text.includes('more than 4 bytes')]).to.deep.equal(['WS_ERR_MESSAGE_TOO_BIG', true]);
      }
      message.close();
    }
  });

  it('has an engine from its first byte until close(), after which it fails', () => {
    using engines = new EnginesInUse();
    const message = messageOf();
    expect([...message.inflate(Buffer.alloc(0), false)]).to.deep.equal([]);
    expect(engines.count).to.equal(0);
    expect([...message.inflate(hel, false)]).to.have.length(1);
    expect(engines.count).to.equal(1);
    message.close();
    expect(engines.count).to.equal(0);
    expect(thrownBy(() => [...message.inflate(lo, true)]).code).to.equal('WS_ERR_TRUNCATED');
  });
});
