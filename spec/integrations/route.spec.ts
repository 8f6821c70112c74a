import { expect } from 'chai';
import { acceptanceStatus, upgradeRequired } from '../../lib/integrations/route';

describe('upgradeRequired()', () => {
  it('is a 426 with the protocol over HTTP/1.1, and a 400 over HTTP/2, which has no upgrades', () => {
    const upgrade = { Upgrade: 'websocket', Connection: 'Upgrade' };
    expect(upgradeRequired({ httpVersionMajor: 1 })).to.deep.include({ statusCode: 426, headers: upgrade });
    expect(upgradeRequired({ httpVersionMajor: 2 }))
      .to.include({ statusCode: 400 })
      .and.not.have.property('headers');
  });
});

describe('acceptanceStatus()', () => {
  it('is 101 over HTTP/1.1, and 200 over HTTP/2', () => {
    expect([1, 2].map((httpVersionMajor) => acceptanceStatus({ httpVersionMajor }))).to.deep.equal([101, 200]);
  });
});
