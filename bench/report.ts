import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rounds } from './compare';
import type { ContenderName } from './contenders';
import type { Environment } from './environment';
import { formatRatio, styleOf } from './figures';
import { judge } from './marks';
import { plots } from './plots';
import { figuresOf } from './print';
import type { Scenario, Settings } from './scenario';
import { scenarios } from './scenarios';
import { type Summary, summarize, summarizeRatios } from './statistics';
import { isPublished, keyOf, type Results, resultsName } from './storedResults';

/** Writes `results.md`, or that of another Node. */
export function writeReport({ environment, rounds }: Results, settings: Settings): void {
  const measured = scenarios.flatMap((scenario) => {
    const figures = rounds[keyOf(scenario)];
    return figures === undefined ? [] : [{ scenario, rounds: figures }];
  });
  const sections = [...new Set(measured.map(({ scenario }) => scenario.section))];
  const text = [
    '# Results of `npm run bench`',
    'Written by the bench; [performance](../docs/performance.md) says how it measures, and what the figures mean.',
    describe(environment, settings),
    '## Marks',
    writeMarks(measured),
    ...sections.flatMap((section) => [
      `## ${section}`,
      ...(isPublished(environment) ? plots.filter((plot) => plot.section === section) : []).map(
        (plot) => `![${plot.title}](plots/${plot.file}.svg)`,
      ),
      ...measured
        .filter(({ scenario }) => scenario.section === section)
        .flatMap(({ scenario, rounds: figures }) => [
          `### ${capitalize(scenario.name)}`,
          writeFigures(scenario, figures),
        ]),
    ]),
  ];
  writeFileSync(join(__dirname, `${resultsName(environment)}.md`), `${text.join('\n\n')}\n`);
}

function describe({ cpu, cores, memory, system, node, versions }: Environment, { measured, rounds }: Settings): string {
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- ${cpu}, ${cores} cores, ${memory}; ${system}; Node ${node.slice(1)}`,
    `- ${listed.join(', ')}`,
    `- loopback; the server has one core, the load generator another; ${rounds} rounds of ${measured} ms unless a row has fewer; medians,`,
    '  and in brackets the quartiles: half of the rounds are between them',
  ].join('\n');
}

interface Measured {
  readonly scenario: Scenario;
  readonly rounds: Rounds;
}

function writeMarks(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ scenario, rounds }) =>
    judge(scenario, rounds).map(({ mark, ours, theirs, compared, noise, result }) => {
      const { title, format } = styleOf(mark.figure);
      const work = `${mark.figure === 'cpu' ? '' : `${title}: `}${scenario.name}`;
      const compare = theirs === undefined ? '' : formatSpread(compared, formatRatio);
      return [
        `${scenario.section}: ${work}`,
        `${mark.subject} ${format(ours.median)}`,
        theirs === undefined ? '' : `${mark.against} ${format(theirs.median)}`,
        compare,
        `≤ ${mark.atMost}`,
        noise === undefined ? '' : formatRatio(noise.median),
        { met: 'met', noise: 'within the noise', missed: '**missed**' }[result],
      ];
    }),
  );
  return table(['CPU time in µs, unless named', 'ours', 'theirs', 'ratio', 'mark', 'noise', ''], rows);
}

function writeFigures(scenario: Scenario, rounds: Rounds): string {
  const [subject] = scenario.contenders;
  const figures = figuresOf(scenario, rounds[subject as ContenderName]);
  const [first] = figures as [string];
  const valuesOf = (name: ContenderName, figure: string) =>
    (rounds[name] ?? []).map((values) => values[figure] ?? Number.NaN);
  const measured = scenario.contenders.filter((name) => rounds[name] !== undefined);
  const rows = measured.map((name) => {
    const summaries = figures.map((figure) => formatSpread(summarize(valuesOf(name, figure)), styleOf(figure).format));
    const ratio = summarizeRatios(valuesOf(name, first), valuesOf(subject as ContenderName, first)).median;
    return [name, ...summaries, name === subject ? '1' : formatRatio(ratio)];
  });
  const titles = figures.map((figure) => styleOf(figure).title);
  return table(['', ...titles, `${styleOf(first).title.split(',')[0]} : ${subject}`], rows);
}

function formatSpread({ median, lower, upper }: Summary, format: (value: number) => string): string {
  // Not everybody has every figure.
  if (Number.isNaN(median)) return '–';
  return lower === upper ? format(median) : `${format(median)} (${format(lower)}–${format(upper)})`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
