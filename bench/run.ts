/**
 * `npm run bench [-- [--smoke | --profile] [--only contender] [--against folder] [part of a name]]`: what this library costs, and what
 * others cost.
 * docs/performance.md has more.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { againstOtherBuild } from './builds';
import { readCommandLine, type Wishes } from './commandLine';
import { compare } from './compare';
import { runsHere } from './contenders';
import { describeEnvironment } from './environment';
import { judge, type Verdict } from './marks';
import { Load } from './measurements/load';
import { drawPlots } from './plots';
import { printResult, printVerdicts } from './print';
import { pinned } from './processes';
import { summarizeProfiles } from './profiles';
import { writeReport } from './report';
import type { Scenario, Settings } from './scenario';
import { scenarios } from './scenarios';
import { smoke } from './smoke';
import { isPublished, keyOf, type Results, readResults, writeResults } from './storedResults';

const measured = Number(process.env['MILLISECONDS'] ?? 800);

const settings: Settings = {
  rounds: Number(process.env['ROUNDS'] ?? 5),
  measured,
  warmUp: 1.5 * measured,
  settling: 300,
  silence: 2500,
};

function select({ part, only, against }: Wishes): Scenario[] {
  const named = scenarios.filter((scenario) => keyOf(scenario).includes(part));
  if (named.length === 0) throw new Error(`No scenario has '${part}' in its name:\n${scenarios.map(keyOf).join('\n')}`);
  const wanted = named.map((scenario) => ({
    ...scenario,
    contenders: scenario.contenders.filter((name) => (only?.includes(name) ?? true) && runsHere(name)),
  }));
  const compared = against === undefined ? wanted : wanted.flatMap((scenario) => againstOtherBuild(scenario) ?? []);
  return compared.filter(({ contenders }) => contenders.length > 0);
}

/** Where the CPU time goes, of ours unless somebody else is named. */
async function profile(wishes: Wishes, load: Load): Promise<void> {
  const folder = join(__dirname, 'profiles', String(Date.now()));
  mkdirSync(folder, { recursive: true });
  for (const scenario of select(wishes)) {
    const one = wishes.only === undefined && wishes.against === undefined;
    const contenders = one ? scenario.contenders.slice(0, 1) : scenario.contenders;
    const profiled = { ...settings, rounds: 2, profile: folder, otherBuild: wishes.against };
    const rounds = await compare({ ...scenario, contenders }, profiled, load);
    printResult(scenario, rounds);
  }
  summarizeProfiles(folder);
}

function warnIfNotPinned(): void {
  if (!pinned)
    console.log('taskset or a second core is missing: server and load share cores, and the figures swing more.');
}

/** Measures the build of this folder beside the other one; the results of the bench are left alone. */
async function compareBuilds(wishes: Wishes, load: Load): Promise<void> {
  warnIfNotPinned();
  const verdicts: [string, Verdict][] = [];
  for (const scenario of select(wishes)) {
    const rounds = await compare(scenario, { ...settings, otherBuild: wishes.against }, load);
    printResult(scenario, rounds);
    verdicts.push(...judge(scenario, rounds).map((verdict): [string, Verdict] => [keyOf(scenario), verdict]));
  }
  printVerdicts(verdicts);
}

async function measure(wishes: Wishes, load: Load): Promise<void> {
  warnIfNotPinned();
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
  if (isPublished(results.environment)) await drawPlots(results);
  writeReport(results, settings);
}

async function main(): Promise<void> {
  const wishes = readCommandLine();
  const load = new Load();
  try {
    if (wishes.smoke) await smoke(load);
    else if (wishes.profile) await profile(wishes, load);
    else if (wishes.against !== undefined) await compareBuilds(wishes, load);
    else await measure(wishes, load);
  } finally {
    await load.stop();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
