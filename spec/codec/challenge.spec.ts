import { expect } from 'chai';
import { challengeReply, createChallenge, createKey, keyNumber } from '../../lib/codec/challenge';
import { hex } from '../support/vectors';

/** The examples of the drafts, and one that other implementations test with. */
const examples = [
  {
    first: ['4 @1  46546xW%0l 1 5', 829309203],
    second: ['12998 5 Y3 1  .P00', 259970620],
    challenge: Buffer.from('^n:ds[4U'),
    reply: '386a4b5327793a472a436f2c5778612d',
  },
  {
    first: ['18x 6]8vM;54 *(5:  {   U1]8  z [  8', 155712099],
    second: ['1_ tx7X d  <  nw  334J702) 7]o}` 0', 173347027],
    challenge: Buffer.from('Tm[K T2u'),
    reply: '66514a2c664e2f344634217e4b7e4d48',
  },
  {
    first: ['1   38 wZ3f9 23O0 3l 0r', 197703290],
    second: ['27   0E 6 2  1665:< ;U 1H', 300690739],
    challenge: hex('91253ed3a9e76a88'),
    reply: 'b49c6e4053040426e51bbf6cb79f1df9',
  },
  {
    first: ['3e6b263  4 17 80', 906585445],
    second: ['17  9 G`ZD9   2 2b 7X 3 /r90', 179922739],
    challenge: Buffer.from('WjN}|M(6'),
    reply: '6e603965426b397a245238704f745662',
  },
] as const;

describe('The keys of hixie-76', () => {
  for (const { first, second, challenge, reply } of examples) {
    it(`${first[0]} and ${second[0]} answer ${challenge.toString('hex')} with ${reply}`, () => {
      expect(keyNumber(first[0])).to.equal(first[1]);
      expect(keyNumber(second[0])).to.equal(second[1]);
      expect(challengeReply(first[1], second[1], challenge).toString('hex')).to.equal(reply);
    });
  }

  for (const [what, key] of [
    ['without digits', 'a b c'],
    ['without spaces', '12345'],
    ['whose number cannot be divided by its spaces', '2 L785 8o% s9Sy9@V. 4<1P5'],
    ['with a number beyond 32 bits', '4294967296 '],
    ['with more digits than a number can hold', `${'9'.repeat(400)} `],
    ['with tabs for spaces', '12\t34'],
    ['with more than ten digits, also if the quotient has 32 bits', `${'0'.repeat(9)}42 `],
    ['without spaces whose quotient would be Infinity', '0x'],
    ['that is empty', ''],
  ] as const) {
    it(`${what} are refused`, () => expect(keyNumber(key)).to.equal(undefined));
  }

  it('are made as the draft requires, and contain the number', () => {
    for (let i = 0; i < 2000; i++) {
      const { key, number } = createKey();
      expect(keyNumber(key), key).to.equal(number);
      expect(key).to.match(/^[!-~][ -~]*[!-~]$/);
      expect(key.split(' ').length - 1, key).to.be.within(1, 12);
      expect(key.replace(/[ 0-9]/g, '').length, key).to.be.within(1, 12);
    }
    expect(createChallenge()).to.have.lengthOf(8);
  });

  it('may have the largest number of 32 bits, and ten digits', () => {
    expect(keyNumber('4294967295 ')).to.equal(4294967295);
    expect(keyNumber(' 0000000042')).to.equal(42);
  });
});
