import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { differences } from '../reliability/fuzz/differences';
import { seeds } from '../reliability/fuzz/seeds';
import { targets } from '../reliability/fuzz/targets';
import { invariants } from './support/invariants';

const page = readFileSync(join(__dirname, '..', 'docs', 'reliability.md'), 'utf8');

describe('docs/reliability.md', () => {
  it('has the invariants by which torture and model judge', () => {
    expect(page).to.include(invariants.map(({ says }, i) => `${i + 1}. ${says}`).join('\n'));
  });

  it('has the differences to ws that the differential target accepts', () => {
    for (const { name, why } of differences) expect(page).to.include(`| ${name} | ${why} |`);
  });

  it('has every target of the fuzzer', () => {
    for (const target of Object.keys(targets)) expect(page).to.include(`| \`${target}\` |`);
  });
});

describe('The fuzzer', () => {
  it('has seeds for each target', () => {
    expect(Object.keys(seeds)).to.have.members(Object.keys(targets));
  });
});
