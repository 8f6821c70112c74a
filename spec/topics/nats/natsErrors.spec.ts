import { expect } from 'chai';
import { isWithoutStream, toBrokerError } from '../../../lib/topics/nats/natsErrors';
import { WebSocketError } from '../../../lib/webSocketHandler';

describe('toBrokerError() of NATS', () => {
  for (const [error, code] of [
    [{ name: 'TimeoutError', message: 'timeout' }, 'WS_ERR_BROKER_UNAVAILABLE'],
    [{ name: 'JetStreamNotEnabled' }, 'WS_ERR_BROKER_UNAVAILABLE'],
    [{ name: 'JetStreamApiError', message: 'no leader', status: 503, code: 10008 }, 'WS_ERR_BROKER_UNAVAILABLE'],
    [{ name: 'JetStreamApiError', message: 'no leader', status: 503 }, 'WS_ERR_BROKER_UNAVAILABLE'],
    [{ name: 'JetStreamApiError', message: 'no storage', status: 503, code: 10047 }, 'WS_ERR_BROKER_REFUSED'],
    [{ name: 'PermissionViolationError', message: 'no permission' }, 'WS_ERR_BROKER_REFUSED'],
    [undefined, 'WS_ERR_BROKER_REFUSED'],
  ] as const)
    it(`is ${code} for ${JSON.stringify(error)}`, () => {
      const { code: found, cause } = toBrokerError(error);
      expect([found, cause]).to.deep.equal([code, error]);
    });

  it('leaves an error of ours as it is', () => {
    const error = new WebSocketError('WS_ERR_ABORTED');
    expect(toBrokerError(error)).to.equal(error);
  });
});

describe('isWithoutStream()', () => {
  for (const [error, expected] of [
    [{ name: 'StreamNotFoundError' }, true],
    [{ name: 'JetStreamNotEnabled' }, true],
    [{ name: 'JetStreamApiError', code: 10059 }, true],
    [{ name: 'TimeoutError' }, false],
    [null, false],
  ] as const)
    it(`is ${expected} for ${JSON.stringify(error)}`, () => expect(isWithoutStream(error)).to.equal(expected));
});
