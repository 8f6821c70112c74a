import { expect } from 'chai';
import { findLoss, parseCursor, toCursor, topicLost } from '../../lib/topics/cursor';

describe('Cursors', () => {
  it('are an epoch, a colon, and an offset', () => {
    for (const position of [
      { epoch: 'a', offset: 0 },
      { epoch: 'b:c', offset: 17 },
      { epoch: '1', offset: Number.MAX_SAFE_INTEGER },
    ])
      expect(parseCursor(toCursor(position))).to.deep.equal(position);
  });

  it('are nothing else: clients may send any string', () => {
    for (const text of [
      '',
      ':',
      'a',
      'a:',
      ':1',
      'a:-1',
      'a:1.5',
      'a:1e3',
      'a: 1',
      'a:0x1',
      'a:9007199254740992',
      'a:1\n',
    ])
      expect(parseCursor(text), text).to.equal(undefined);
  });

  it('can be continued if no message behind them is missing', () => {
    const bounds = { epoch: 'a', first: 11, last: 20 };
    expect(['a:10', 'a:11', 'a:20'].map((after) => findLoss(after, bounds))).to.deep.equal(Array(3).fill(undefined));
    expect(['a:0', 'a:9'].map((after) => findLoss(after, bounds))).to.deep.equal(['evicted', 'evicted']);
    expect(['a:21', 'b:10', 'x', ''].map((after) => findLoss(after, bounds))).to.deep.equal(Array(4).fill('epoch'));
  });

  it('can be continued at the end of a log of which nothing is kept', () => {
    const bounds = { epoch: 'a', first: 21, last: 20 };
    expect(findLoss('a:20', bounds)).to.equal(undefined);
    expect(findLoss('a:19', bounds)).to.equal('evicted');
  });

  it('the error of one that cannot be continued names the topic, the cursor and the reason', () => {
    const error = topicLost('prices', 'a:1', 'evicted');
    expect(error).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'evicted' });
    expect(error.message).to.match(/"prices" after "a:1": messages after it were deleted$/);
  });
});
