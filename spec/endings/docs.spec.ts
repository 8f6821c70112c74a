import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ends } from './ends';
import { type Expected, rules, table } from './rules';

const page = readFileSync(join(__dirname, '..', '..', 'docs', 'endings.md'), 'utf8');

const any = (value: unknown) => (value === undefined ? 'any' : String(value));

function told({ told: [value] }: Expected): string {
  if (value === 'end') return "`'end'`";
  if (value === 'nothing') return '*nothing*';
  return value?.startsWith('WS_') ? `\`${value}\`` : "the program's error";
}

function peerGets({ peerSees }: Expected): string {
  if (peerSees === undefined) return 'any';
  return peerSees[0] === 1006 ? 'no Close: 1006' : `Close ${peerSees[0]}`;
}

describe('docs/endings.md', () => {
  it('has the table that the specs of all ends compute from', () => {
    for (const { name } of ends) {
      const row = table[name] as Expected;
      const cells = [name, told(row), any(row.code?.[0]), any(row.wasClean), peerGets(row), row.delivered];
      expect(page).to.include(`| ${cells.join(' | ')} |`);
    }
  });

  it('has the rules that change the table, in their order', () => {
    const list = rules.map(({ says }, i) => `${i + 1}. ${says}`).join('\n');
    expect(page).to.include(list);
  });
});
