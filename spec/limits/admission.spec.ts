import { expect } from 'chai';
import type { HttpRequest } from '../../lib/contracts';
import { Admission, subscriberOf } from '../../lib/limits/admission';
import { thrownBy } from '../support/thrown';

const requestFrom = (remoteAddress: string | undefined, headers = {}) =>
  ({ headers, socket: { remoteAddress } }) as unknown as HttpRequest;

describe('Admission', () => {
  it('refuses with 503 what exceeds maxConnections, until a place is released', () => {
    const admission = new Admission({ maxConnections: 1 });
    const place = admission.admit(requestFrom('192.0.2.1'));
    const { code, statusCode, headers, message } = thrownBy(() => admission.admit(requestFrom('192.0.2.2')));
    expect({ code, statusCode, headers }).to.deep.equal({
      code: 'WS_ERR_TOO_MANY_CONNECTIONS',
      statusCode: 503,
      headers: { 'Retry-After': '10' },
    });
    expect(message).to.include('maxConnections, 1');
    place.release();
    admission.admit(requestFrom('192.0.2.2'));
  });

  it('releases a place once', () => {
    const admission = new Admission({ maxConnections: 1 });
    const place = admission.admit(requestFrom('192.0.2.1'));
    place.release();
    place.release();
    admission.admit(requestFrom('192.0.2.1'));
    expect(thrownBy(() => admission.admit(requestFrom('192.0.2.1'))).statusCode).to.equal(503);
  });

  it('refuses with 429 what exceeds maxConnectionsPerAddress, for this address only', () => {
    const admission = new Admission({ maxConnectionsPerAddress: 2 });
    const place = admission.admit(requestFrom('192.0.2.1'));
    admission.admit(requestFrom('192.0.2.1'));
    const { statusCode, message } = thrownBy(() => admission.admit(requestFrom('192.0.2.1')));
    expect(statusCode).to.equal(429);
    expect(message).to.include('maxConnectionsPerAddress, 2');
    admission.admit(requestFrom('192.0.2.2'));
    place.release();
    admission.admit(requestFrom('192.0.2.1'));
  });

  it('takes no place in all for a request that its address refuses', () => {
    const admission = new Admission({ maxConnections: 2, maxConnectionsPerAddress: 1 });
    admission.admit(requestFrom('192.0.2.1'));
    expect(thrownBy(() => admission.admit(requestFrom('192.0.2.1'))).statusCode).to.equal(429);
    admission.admit(requestFrom('192.0.2.2'));
  });

  it('counts by what addressOf() returns', () => {
    const addressOf = ({ headers }: HttpRequest) => headers['x-real-ip'] as string | undefined;
    const admission = new Admission({ maxConnectionsPerAddress: { limit: 1, addressOf } });
    const viaProxy = (address: string) => requestFrom('127.0.0.1', { 'x-real-ip': address });
    admission.admit(viaProxy('192.0.2.1'));
    admission.admit(viaProxy('192.0.2.2'));
    expect(thrownBy(() => admission.admit(viaProxy('192.0.2.1'))).statusCode).to.equal(429);
    admission.admit(requestFrom('127.0.0.1'));
    admission.admit(requestFrom('127.0.0.1'));
  });

  it('names the mistake if addressOf() returns something else, such as a promise', () => {
    const addressOf = (async () => '192.0.2.1') as unknown as () => string;
    const admission = new Admission({ maxConnectionsPerAddress: { limit: 1, addressOf } });
    const { code, statusCode, message } = thrownBy(() => admission.admit(requestFrom('127.0.0.1')));
    expect({ code, statusCode }).to.deep.equal({ code: 'WS_ERR_INVALID_ARGUMENT', statusCode: 500 });
    expect(message).to.include('maxConnectionsPerAddress.addressOf must return a string or undefined');
  });

  it('does not limit clients without an address, as on a UNIX socket', () => {
    const admission = new Admission({ maxConnectionsPerAddress: 1 });
    admission.admit(requestFrom(undefined));
    admission.admit(requestFrom(undefined));
  });
});

describe('subscriberOf()', () => {
  for (const [address, subscriber] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:3::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ] as const)
    it(`returns ${subscriber} for ${address}`, () => expect(subscriberOf(address)).to.equal(subscriber));
});
