import { expect } from 'chai';
import { checkRepeated, checkUpgradeAnswer } from '../../lib/versions/clientAnswers';
import { thrownBy } from '../support/thrown';

describe('checkUpgradeAnswer()', () => {
  it('accepts the two headers in any case, and Connection with other tokens', () => {
    checkUpgradeAnswer({ headers: { upgrade: 'WebSocket', connection: 'keep-alive, Upgrade' } });
  });

  for (const [what, headers, message] of [
    ['no Upgrade', { connection: 'Upgrade' }, 'Upgrade must be websocket, not undefined'],
    ['another Upgrade', { upgrade: 'h2c', connection: 'Upgrade' }, 'Upgrade must be websocket, not h2c'],
    ['no Connection', { upgrade: 'websocket' }, 'must have the token upgrade: undefined'],
    ['another Connection', { upgrade: 'websocket', connection: 'close' }, 'must have the token upgrade: close'],
  ] as const)
    it(`refuses ${what}`, () => {
      const error = thrownBy(() => checkUpgradeAnswer({ headers }));
      expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
      expect(error.message).to.include(message);
    });
});

describe('checkRepeated()', () => {
  it('accepts the value, and the absence of a header that was not sent', () => {
    checkRepeated(
      { headers: { 'sec-websocket-origin': 'http://a.example' } },
      'Sec-WebSocket-Origin',
      'http://a.example',
    );
    checkRepeated({ headers: {} }, 'Sec-WebSocket-Protocol', undefined);
  });

  it('refuses another value, a missing header, and one that must be left out', () => {
    const protocol = { headers: { 'sec-websocket-protocol': 'b' } };
    const refusal = (headers: object, expected: string | undefined) =>
      thrownBy(() => checkRepeated({ headers } as never, 'Sec-WebSocket-Protocol', expected)).message;
    expect(refusal(protocol.headers, 'a')).to.include('must be a');
    expect(refusal({}, 'a')).to.include('must be a');
    expect(refusal(protocol.headers, undefined)).to.include('must be left out');
  });
});
