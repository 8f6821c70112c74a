/**
 * `npm run bench [-- [--smoke | --profile] [--only contender] [part of a name]]`: what this library costs, and what others cost.
 * docs/performance.md has more.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCommandLine, type Wishes } from './commandLine';
import { compare } from './compare';
import { describeEnvironment } from './environment';
import { Load } from './measurements/load';
import { drawPlots } from './plots';
import { printResult } from './print';
import { pinned } from './processes';
import { summarizeProfiles } from './profiles';
import { writeReport } from './report';
import type { Scenario, Settings } from './scenario';
import { scenarios } from './scenarios';
import { smoke } from './smoke';
import { keyOf, type Results, readResults, writeResults } from './storedResults';

const measured = Number(process.env['MILLISECONDS'] ?? 800);

const settings: Settings = {
  rounds: Number(process.env['ROUNDS'] ?? 5),
  measured,
  warmUp: 1.5 * measured,
  settling: 300,
  silence: 2500,
};

function select({ part, only }: Wishes): Scenario[] {
  const wanted = scenarios.filter((scenario) => keyOf(scenario).includes(part));
  if (wanted.length === 0)
    throw new Error(`No scenario has '${part}' in its name:\n${scenarios.map(keyOf).join('\n')}`);
  if (only === undefined) return wanted;
  return wanted
    .map((scenario) => ({ ...scenario, contenders: scenario.contenders.filter((name) => only.includes(name)) }))
    .filter(({ contenders }) => contenders.length > 0);
}

/** Where the CPU time goes, of ours unless somebody else is named. */
async function profile(wishes: Wishes, load: Load): Promise<void> {
  const folder = join(__dirname, 'profiles', String(Date.now()));
  mkdirSync(folder, { recursive: true });
  for (const scenario of select(wishes)) {
    const contenders = wishes.only === undefined ? scenario.contenders.slice(0, 1) : scenario.contenders;
    const rounds = await compare({ ...scenario, contenders }, { ...settings, rounds: 2, profile: folder }, load);
    printResult(scenario, rounds);
  }
  summarizeProfiles(folder);
}

async function measure(wishes: Wishes, load: Load): Promise<void> {
  if (!pinned)
    console.log('taskset or a second core is missing: server and load share cores, and the figures swing more.');
  const results: Results = readResults(describeEnvironment());
  for (const scenario of select(wishes)) {
    const rounds = await compare(scenario, settings, load);
    printResult(scenario, rounds);
    // Some of the contenders are a look at something, and no result.
    if (wishes.only !== undefined) continue;
    results.rounds[keyOf(scenario)] = rounds;
    writeResults(results);
  }
  if (wishes.only !== undefined) return;
  await drawPlots(results);
  writeReport(results, settings);
}

async function main(): Promise<void> {
  const wishes = readCommandLine();
  const load = new Load();
  try {
    if (wishes.smoke) await smoke(load);
    else if (wishes.profile) await profile(wishes, load);
    else await measure(wishes, load);
  } finally {
    await load.stop();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
