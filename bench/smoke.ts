import { join } from 'node:path';
import { tryArenaEntry } from './arenaEntry';
import { againstOtherBuild, findBuild } from './builds';
import { compare } from './compare';
import { type ContenderName, isSecondProcess, runsHere } from './contenders';
import type { Load } from './measurements/load';
import type { Scenario, Settings } from './scenario';
import { scenarios } from './scenarios';

/** Too short for figures; enough to see that everything works, and that all replies are right. */
const settings: Settings = { rounds: 1, measured: 50, warmUp: 0, settling: 20, silence: 0 };

const fewConnections = 20;
const shortMessage = 16 * 2 ** 20;

/** Every contender in every kind of scenario, and a server that gives wrong replies, which must not go unnoticed. */
export async function smoke(load: Load): Promise<void> {
  const seen = new Set<string>();
  for (const scenario of scenarios) {
    // A second process of the same code has nothing new to show.
    const fresh = scenario.contenders.filter(
      (contender) => !isSecondProcess(contender) && runsHere(contender) && isFirst(seen, contender, scenario),
    );
    if (fresh.length === 0) continue;
    await compare({ ...shrink(scenario), contenders: fresh }, settings, load);
    console.log(`works: ${scenario.section}: ${scenario.name}: ${fresh.join(' | ')}`);
    const faulty = scenario.measures === 'broadcast' ? 'faulty, broadcast' : 'faulty';
    if (!hasReplies(scenario) || !isFirst(seen, faulty, scenario)) continue;
    await mustFail({ ...shrink(scenario), contenders: [faulty] }, load);
  }
  await compareWithItself(load);
  await tryArenaEntry();
  console.log('works: bench/httparena/server.js');
}

/** The build of this folder, as if it were another: what `--against` does in each kind of scenario. */
async function compareWithItself(load: Load): Promise<void> {
  const otherBuild = findBuild(join(__dirname, '..'));
  const seen = new Set<Scenario['measures']>();
  for (const scenario of scenarios.flatMap((each) => againstOtherBuild(shrink(each)) ?? [])) {
    if (seen.has(scenario.measures)) continue;
    seen.add(scenario.measures);
    await compare(scenario, { ...settings, otherBuild }, load);
    console.log(`works: --against: ${scenario.section}: ${scenario.name}`);
  }
}

/** Whether nothing like this has been tried. */
function isFirst(seen: Set<string>, contender: ContenderName, { measures, work }: Scenario): boolean {
  const { kind, content, size, deflate } = work;
  // The length of a frame is encoded in three ways; that others can do it is no concern of ours.
  const lengths = contender.startsWith('ours') ? [size > 125, size > 65_535] : [];
  const key = JSON.stringify([contender, measures, kind, content, deflate, ...lengths]);
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

function hasReplies({ measures }: Scenario): boolean {
  return measures !== 'handshakes' && measures !== 'openAndClose' && measures !== 'opening';
}

function shrink(scenario: Scenario): Scenario {
  const { work } = scenario;
  const connections = Math.min(work.connections, fewConnections);
  return { ...scenario, work: { ...work, connections, size: Math.min(work.size, shortMessage) } };
}

/** A busy machine may not get a reply within a short measurement, so it is tried with longer ones. */
async function mustFail(scenario: Scenario, load: Load): Promise<void> {
  for (let { measured } = settings; measured < 10_000; measured *= 4) {
    const failure = await compare(scenario, { ...settings, measured }, load).then(
      () => undefined,
      (error: Error) => error,
    );
    if (failure === undefined) continue;
    if (!/not what/.test(failure.message)) throw failure;
    return;
  }
  throw new Error(`Wrong replies went unnoticed: ${scenario.section}: ${scenario.name}`);
}
