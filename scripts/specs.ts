/**
 * `npm run spec [-- [--all] [--coverage] [--ours] [options and files of Mocha]]`: runs the spec files, several at a time.
 * CONTRIBUTING.md explains the options.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { typeOnlyFiles } from './typeOnlyFiles';

const root = join(__dirname, '..');
const coverage = join(root, 'coverage');

/** They measure real milliseconds, so nothing else may run beside them. */
const alone = ['spec/deadPeer.spec.ts'];

/** They test the package as npm installs it, or what cannot depend on a change of lib/, and take long: only with --all. */
const slow = ['spec/package.spec.ts', 'spec/leaks.spec.ts'];

/** They start programs that are not ours, or npm: left out with --ours, for other versions of Node. */
const withPrograms = [
  'spec/commandLine.spec.ts',
  'spec/http2Peers.spec.ts',
  'spec/http2Servers.spec.ts',
  'spec/package.spec.ts',
  'spec/realPeers.spec.ts',
  'spec/realServers.spec.ts',
];

/** @returns all spec files, those first that take longest, so that none of them is left for the end when the others are done */
function findSpecs(): string[] {
  const files = readdirSync(join(root, 'spec'), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.spec.ts')).map((file) => join('spec', file));
}

/** @returns whether the program has succeeded */
function run(module: string, parameters: readonly string[]): boolean {
  const { status } = spawnSync(process.execPath, [require.resolve(module), ...parameters], {
    cwd: root,
    stdio: 'inherit',
  });
  return status === 0;
}

const wishes = process.argv.slice(2);
/** Takes an option of ours out of the parameters; the others are Mocha's. */
function take(option: string): boolean {
  const found = wishes.indexOf(option);
  if (found !== -1) wishes.splice(found, 1);
  return found !== -1;
}

const all = take('--all');
const ours = take('--ours');
const withCoverage = take('--coverage');

if (all) {
  process.env['SEEDS'] ??= 'all';
  process.env['ENDINGS'] ??= 'all';
}
if (withCoverage) {
  rmSync(coverage, { recursive: true, force: true });
  process.env['NODE_V8_COVERAGE'] = join(coverage, 'tmp');
}

const left = [...(all ? [] : slow), ...(ours ? withPrograms : [])];
const chosen = findSpecs().filter((file) => !left.includes(file));
const together = chosen.filter((file) => !alone.includes(file));
// One more than there are cores: most specs wait for sockets and timers for a part of their time.
const jobs = String(Math.max(2, availableParallelism()) + 1);
const results = [
  run('mocha/bin/mocha.js', ['--parallel', '--jobs', jobs, ...wishes, ...together]),
  ...alone.filter((file) => chosen.includes(file)).map((file) => run('mocha/bin/mocha.js', [...wishes, file])),
];
if (withCoverage) {
  delete process.env['NODE_V8_COVERAGE'];
  const exclude = typeOnlyFiles().flatMap((file) => ['--exclude', file]);
  results.push(run('c8/bin/c8.js', ['report', '--temp-directory', join(coverage, 'tmp'), ...exclude]));
}
if (results.includes(false)) process.exitCode = 1;
