import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What is read of a `.cpuprofile`. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const longestList = 40;

/** Prints which functions take the time, most first. The files show it as a flame graph in any viewer of `.cpuprofile`s. */
export function summarizeProfiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    console.log(`\n${relative(process.cwd(), file)}`);
    const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;
    const times = selfTimes(profile);
    const idle = times.get('(idle)') ?? 0;
    times.delete('(idle)');
    times.delete('(program)');
    const busy = [...times.values()].reduce((sum, time) => sum + time, 0);
    console.log(`  busy ${(busy / 1e6).toFixed(2)} s, idle ${(idle / 1e6).toFixed(2)} s; of the busy time:`);
    const sorted = [...times].sort(([, a], [, b]) => b - a).slice(0, longestList);
    for (const [where, time] of sorted) console.log(`  ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${where}`);
  }
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return times;
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^.*\/(dist|node_modules|bench)\//, '');
  const place = file === '' ? '' : ` ${file}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}
