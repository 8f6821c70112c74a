import { expect } from 'chai';
import { isWithoutScript, toBrokerError } from '../../../lib/topics/redis/redisErrors';
import { WebSocketError } from '../../../lib/webSocketHandler';

const manyAddresses = new AggregateError([
  new Error('connect ECONNREFUSED ::1'),
  new Error('connect ECONNREFUSED 127.0.0.1'),
]);

describe('toBrokerError() of Redis', () => {
  for (const [error, code, text] of [
    [new Error('OOM command not allowed'), 'WS_ERR_BROKER_REFUSED', 'OOM command'],
    [new Error('LOADING Redis is loading the dataset'), 'WS_ERR_BROKER_UNAVAILABLE', 'LOADING'],
    [new Error('Socket closed unexpectedly'), 'WS_ERR_BROKER_UNAVAILABLE', 'Socket closed'],
    [manyAddresses, 'WS_ERR_BROKER_UNAVAILABLE', 'ECONNREFUSED ::1, connect ECONNREFUSED 127.0.0.1'],
    ['a text', 'WS_ERR_BROKER_UNAVAILABLE', 'a text'],
  ] as const)
    it(`is ${code} for ${error}`, () => {
      const found = toBrokerError(error);
      expect(found.code).to.equal(code);
      expect(found.message).to.include(text);
    });

  it('leaves an error of ours as it is', () => {
    const error = new WebSocketError('WS_ERR_ABORTED');
    expect(toBrokerError(error)).to.equal(error);
  });
});

describe('isWithoutScript()', () => {
  it('recognizes the reply', () => {
    expect(isWithoutScript(new Error('NOSCRIPT No matching script'))).to.equal(true);
    expect(isWithoutScript(new Error('ERR unknown command'))).to.equal(false);
  });
});
