/** Another build of this library, measured beside the build of this folder: `--against`. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ContenderName, contenders, isOurs, nameOfAdded } from './contenders';
import type { Mark, Scenario, Settings } from './scenario';

const main = join('lib', 'webSocketHandler.js');

/**
 * @param folder a checkout of this library in which `npm run build` was run, or the `dist` folder of one
 * @returns the `dist` folder
 */
export function findBuild(folder: string): string {
  const found = [join(folder, 'dist'), folder].find((dist) => existsSync(join(dist, main)));
  if (found !== undefined) return resolve(found);
  throw new Error(
    `--against ${folder}: there is neither dist/${main} nor ${main}. It takes the folder of another build, made with:
git worktree add FOLDER COMMIT && cd FOLDER && npm ci && npm run build`,
  );
}

/** @returns the `dist` folder that a contender is measured of, if it is not the one of this folder */
export function buildOf(name: ContenderName, { otherBuild }: Pick<Settings, 'otherBuild'>): string | undefined {
  if (contenders[name].otherBuild !== true) return undefined;
  if (otherBuild === undefined) throw new Error(`${name} is measured only with --against FOLDER`);
  return otherBuild;
}

/** A change may not cost more than this: what costs the same never measures the same. */
const sameCost = 1.03;

/** The figures that are judged, by what is measured. The others follow from these, or are not ours alone. */
const judged: Readonly<Record<Scenario['measures'], Readonly<Record<string, number>>>> = {
  echo: { cpu: sameCost },
  broadcast: { cpu: sameCost },
  client: { cpu: sameCost },
  opening: { cpu: sameCost },
  openAndClose: { cpu: sameCost },
  shortLived: { cpu: sameCost },
  handshakes: { cpu: sameCost },
  memory: { resident: 1, heap: 1 },
  latency: { p99: sameCost, pausesPerMessage: sameCost },
  large: { server: sameCost, client: sameCost },
};

/**
 * @returns the scenario with our contenders only: each of this build, of the other build, and once more of this build; or undefined if we
 * do not take part in it
 */
export function againstOtherBuild(scenario: Scenario): Scenario | undefined {
  const names = scenario.contenders.filter(isOurs);
  if (names.length === 0) return undefined;
  const marks = names.flatMap((subject): Mark[] =>
    Object.entries(judged[scenario.measures]).map(([figure, atMost]) => ({
      figure,
      subject,
      against: nameOfAdded(subject, 'before'),
      atMost,
      noise: [subject, nameOfAdded(subject, 'again')],
    })),
  );
  const added = names.flatMap((name): ContenderName[] => [
    name,
    nameOfAdded(name, 'before'),
    nameOfAdded(name, 'again'),
  ]);
  return { ...scenario, contenders: added, marks };
}
