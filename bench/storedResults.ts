import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rounds } from './compare';
import type { Environment } from './environment';
import type { Scenario } from './scenario';
import { scenarios } from './scenarios';

/** What has been measured, by scenario. It is kept between runs, so that one scenario can be measured anew. */
export interface Results {
  readonly environment: Environment;
  readonly rounds: Record<string, Rounds>;
}

/** The Node of the published results and of the plots. */
const publishedNode = '20';

const majorOf = ({ node }: Environment) => node.slice(1).split('.')[0];

export const isPublished = (environment: Environment) => majorOf(environment) === publishedNode;

/** The name of the files with the results: those of another Node are kept beside the published ones. */
export function resultsName(environment: Environment): string {
  return isPublished(environment) ? 'results' : `results-node${majorOf(environment)}`;
}

const fileOf = (environment: Environment) => join(__dirname, `${resultsName(environment)}.json`);

export function keyOf({ section, name }: Pick<Scenario, 'section' | 'name'>): string {
  return `${section}: ${name}`;
}

/** What was measured before, if it was on such a machine and of these versions; scenarios that are no more are left out. */
export function readResults(environment: Environment): Results {
  const none = { environment, rounds: {} };
  try {
    const stored = JSON.parse(readFileSync(fileOf(environment), 'utf8')) as Results;
    if (JSON.stringify(stored.environment) !== JSON.stringify(environment)) return none;
    const known = scenarios.map(keyOf).filter((key) => stored.rounds[key] !== undefined);
    return { environment, rounds: Object.fromEntries(known.map((key) => [key, stored.rounds[key] as Rounds])) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none;
    throw error;
  }
}

export function writeResults(results: Results): void {
  // Four digits are more than any of them deserves.
  const short = (_key: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  const lines = Object.entries(results.rounds).map(
    ([key, rounds]) => `    ${JSON.stringify(key)}: ${JSON.stringify(rounds, short)}`,
  );
  const environment = JSON.stringify(results.environment);
  writeFileSync(
    fileOf(results.environment),
    `{\n  "environment": ${environment},\n  "rounds": {\n${lines.join(',\n')}\n  }\n}\n`,
  );
}
