/**
 * Makes the binary of Jazzer.js run on systems with an older C library, such as Debian 12. What is installed stays as it is: the copy and the
 * library with the missing functions are in `build/`, and `--require` of `loadCopy.cjs` makes Node load the copy.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withWeakVersions } from './weakVersions';

const binary = require.resolve(`@jazzer.js/fuzzer/prebuilds/fuzzer-${process.platform}-${process.arch}.node`);
const build = join(__dirname, 'build');
const copy = join(build, 'fuzzer.node');
const shim = join(build, 'shim.so');

/** The variables for a process that loads the fuzzer. */
export type Environment = Readonly<Record<string, string>>;

/** @returns undefined if the binary can be loaded, otherwise what the loader says */
function refusal(path: string, environment: Environment): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, ['--eval', `require(${JSON.stringify(path)})`], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  });
  return status === 0 ? undefined : stderr;
}

/** @returns the variables with which this system can load the fuzzer */
export function compatibleEnvironment(): Environment {
  let problem = refusal(binary, {});
  if (problem === undefined) return {};
  mkdirSync(build, { recursive: true });
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, join(__dirname, 'shim.c')]);
  const environment = { LD_PRELOAD: shim, FUZZER_BINARY: binary, FUZZER_COPY: copy };
  // The loader names one missing version after the other.
  const missing = new Set<string>();
  while (problem !== undefined) {
    const [, version] = /version `([^']+)' not found/.exec(problem) ?? [];
    if (version === undefined || missing.has(version)) throw new Error(`The fuzzer cannot be loaded: ${problem}`);
    missing.add(version);
    writeFileSync(copy, withWeakVersions(readFileSync(binary), missing));
    problem = refusal(copy, environment);
  }
  console.log(`The C library is older than the fuzzer's: ${[...missing].join(', ')} are optional in a copy of it`);
  return environment;
}
