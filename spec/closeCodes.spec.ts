import { expect } from 'chai';
import { closeCodes, isCleanCloseCode, isSendableCloseCode } from '../lib/closeCodes';

describe('isSendableCloseCode()', () => {
  const ranges: [from: number, to: number, sendable: boolean, why: string][] = [
    [0, 999, false, 'not used'],
    [1000, 1003, true, 'RFC 6455 §7.4.1'],
    [1004, 1004, false, 'reserved'],
    [1005, 1006, false, 'only for what no Close frame said'],
    [1007, 1011, true, 'RFC 6455 §7.4.1'],
    [1012, 1014, true, 'registered with IANA'],
    [1015, 1015, false, 'only for a TLS failure'],
    [1016, 2999, false, 'unassigned'],
    [3000, 3999, true, 'registered by libraries'],
    [4000, 4999, true, 'private'],
    [5000, 65535, false, 'not used'],
  ];
  for (const [from, to, sendable, why] of ranges) {
    it(`says ${sendable ? 'yes' : 'no'} to ${from === to ? from : `${from} to ${to}`} (${why})`, () => {
      for (let code = from; code <= to; code++) {
        if (isSendableCloseCode(code) !== sendable) expect.fail(`It says ${!sendable} to ${code}`);
      }
    });
  }

  it('returns false for a value that is no close code', () => {
    for (const code of [-1, -1000, Number.NaN, Number.POSITIVE_INFINITY, 1000.5, 3999.5]) {
      expect(isSendableCloseCode(code), String(code)).to.equal(false);
    }
  });
});

describe('closeCodes', () => {
  it('names each code once', () => {
    const codes = Object.values(closeCodes);
    expect(new Set(codes).size).to.equal(codes.length);
  });

  it('has only codes that can be sent, and the two that are never sent', () => {
    const local = Object.values(closeCodes).filter((code) => !isSendableCloseCode(code));
    expect(local).to.deep.equal([closeCodes.noStatus, closeCodes.abnormal]);
  });
});

describe('isCleanCloseCode()', () => {
  it('returns true for normal, going away, and no code', () => {
    const clean = Array.from({ length: 5000 }, (_, code) => code).filter(isCleanCloseCode);
    expect(clean).to.deep.equal([1000, 1001, 1005]);
  });
});
