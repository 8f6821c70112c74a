import type { Rounds } from './compare';
import { formatRatio, styleOf } from './figures';
import { judge, type Verdict } from './marks';
import type { Scenario } from './scenario';
import { type Summary, summarize } from './statistics';

/** A scenario's figures for the terminal. */
export function printResult(scenario: Scenario, rounds: Rounds): void {
  console.log(`\n${scenario.section}: ${scenario.name}`);
  for (const [contender, figures] of Object.entries(rounds)) {
    const cells = figuresOf(scenario, figures).map((figure) => {
      const { median } = summarize(figures.map((round) => round[figure] ?? Number.NaN));
      const { title, format } = styleOf(figure);
      return `${format(median)} ${title}`;
    });
    console.log(`  ${contender.padEnd(28)}${cells.join(' · ')}`);
  }
  for (const verdict of judge(scenario, rounds)) console.log(`  ${describeVerdict(verdict)}`);
}

/** The comparisons of two builds, once more and together: the rows that cost more than they may first. */
export function printVerdicts(verdicts: readonly (readonly [where: string, Verdict])[]): void {
  console.log('\nThis build / the other build (and, as noise, / the same build in another process)');
  const worstFirst = [...verdicts].sort(([, a], [, b]) => b.compared.median - a.compared.median);
  for (const [where, verdict] of worstFirst) console.log(`  ${describeVerdict(verdict)}: ${where}`);
  const missed = verdicts.filter(([, { result }]) => result === 'missed').length;
  console.log(`  ${verdicts.length - missed} of ${verdicts.length} marks met, or missed by no more than the noise`);
}

const results: Readonly<Record<Verdict['result'], string>> = { met: 'met   ', noise: 'noise ', missed: 'MISSED' };

function describeVerdict({ mark, compared, noise, result }: Verdict): string {
  const { figure, subject, against, atMost } = mark;
  const what = `${subject}, ${styleOf(figure).title}${against === undefined ? '' : ` / ${against}`}`;
  const exactness = noise === undefined ? '' : `, noise ${describeSpread(noise)}`;
  return `${results[result]} ${describeSpread(compared)}, mark ${atMost}${exactness}: ${what}`;
}

function describeSpread({ median, lower, upper }: Summary): string {
  return `${formatRatio(median)} (${formatRatio(lower)} to ${formatRatio(upper)})`;
}

/** Those that mean something there: every uncompressed answer is as long as the others. */
export function figuresOf({ work }: Scenario, figures: Rounds[keyof Rounds]): string[] {
  return Object.keys(figures?.[0] ?? {}).filter((figure) => figure !== 'wire' || work.deflate);
}
