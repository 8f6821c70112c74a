import type { Rounds } from './compare';
import { formatRatio, styleOf } from './figures';
import { judge } from './marks';
import type { Scenario } from './scenario';
import { summarize } from './statistics';

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
  for (const { mark, compared, met } of judge(scenario, rounds)) {
    const { figure, subject, against, atMost } = mark;
    const what = `${subject}, ${styleOf(figure).title}${against === undefined ? '' : ` / ${against}`}`;
    const spread = `${formatRatio(compared.median)} (${formatRatio(compared.lower)} to ${formatRatio(compared.upper)})`;
    console.log(`  ${met ? 'met   ' : 'MISSED'} ${spread}, mark ${atMost}: ${what}`);
  }
}

/** Those that mean something there: every uncompressed answer is as long as the others. */
export function figuresOf({ work }: Scenario, figures: Rounds[keyof Rounds]): string[] {
  return Object.keys(figures?.[0] ?? {}).filter((figure) => figure !== 'wire' || work.deflate);
}
