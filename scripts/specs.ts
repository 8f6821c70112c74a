/**
 * `npm run spec [-- [--all] [--coverage] [--ours] [--together | --alone] [options of Mocha]]`: runs the spec files, several at a time.
 *
 * - `--all`: also the slow files, and every seed and combination. `SEEDS` and `ENDINGS` say otherwise.
 * - `--coverage`: measures the coverage of lib/, and fails if it is below what .c8rc.json asks for.
 * - `--ours`: without the files that need other programs.
 * - `--together`: only the files that can run beside others; `--alone`: only those that cannot.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { typeOnlyFiles } from './typeOnlyFiles';

const root = join(__dirname, '..');
const coverage = join(root, 'coverage');

/** They measure real milliseconds, so nothing else may run beside them. */
const alone = ['spec/deadPeer.spec.ts'];

/** They test the package as npm installs it, the specs themselves, or programs of `scripts/adapted`, and take long: only with --all. */
const slow = ['spec/package.spec.ts', 'spec/leaks.spec.ts', 'spec/adapters/ws/programs.spec.ts'];

/** They start programs that are not ours, or npm: left out with --ours, for other versions of Node. */
const withPrograms = [
  'spec/adapters/ws/programs.spec.ts',
  'spec/commandLine.spec.ts',
  'spec/http2Peers.spec.ts',
  'spec/http2Servers.spec.ts',
  'spec/package.spec.ts',
  'spec/realPeers.spec.ts',
  'spec/realServers.spec.ts',
];

/** The files that take longest are started first, so that none of them is left when the others are done. Others may be missing here. */
const longest = [
  'spec/realPeers.spec.ts',
  'spec/http2Peers.spec.ts',
  'spec/package.spec.ts',
  'spec/commandLine.spec.ts',
  'spec/nothingLost.spec.ts',
  'spec/realServers.spec.ts',
  'spec/transports/contract.spec.ts',
  'spec/hostileHttp2Resets.spec.ts',
  'spec/http2Servers.spec.ts',
  'spec/http2ClientStages.spec.ts',
];

function findSpecs(): string[] {
  const files = readdirSync(join(root, 'spec'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => join('spec', file));
  return [...longest.filter((file) => files.includes(file)), ...files.filter((file) => !longest.includes(file))];
}

/** @returns whether the program has succeeded */
function run(module: string, parameters: readonly string[]): boolean {
  const { status } = spawnSync(process.execPath, [require.resolve(module), ...parameters], {
    cwd: root,
    stdio: 'inherit',
  });
  return status === 0;
}

/** Installs the programs that run on this library through its adapters, unless they are there. */
function installAdapted(): void {
  const folder = join(root, 'scripts', 'adapted');
  if (existsSync(join(folder, 'node_modules'))) return;
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ci has failed in ${folder}`);
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
const onlyTogether = take('--together');
const onlyAlone = take('--alone');

if (all) {
  installAdapted();
  process.env['SEEDS'] ??= 'all';
  process.env['ENDINGS'] ??= 'all';
}
if (withCoverage) {
  rmSync(coverage, { recursive: true, force: true });
  process.env['NODE_V8_COVERAGE'] = join(coverage, 'tmp');
}

const left = [...(all ? [] : slow), ...(ours ? withPrograms : [])];
const chosen = findSpecs().filter((file) => !left.includes(file));
const results: boolean[] = [];
if (!onlyAlone) {
  // One more than there are cores: most specs wait for sockets and timers for a part of their time.
  const jobs = wishes.includes('--jobs') ? [] : ['--jobs', String(Math.max(2, availableParallelism()) + 1)];
  const together = chosen.filter((file) => !alone.includes(file));
  results.push(run('mocha/bin/mocha.js', ['--parallel', ...jobs, ...wishes, ...together]));
}
if (!onlyTogether)
  for (const file of chosen.filter((each) => alone.includes(each)))
    results.push(run('mocha/bin/mocha.js', [...wishes, file]));
if (withCoverage) {
  delete process.env['NODE_V8_COVERAGE'];
  const exclude = typeOnlyFiles().flatMap((file) => ['--exclude', file]);
  results.push(run('c8/bin/c8.js', ['report', '--temp-directory', join(coverage, 'tmp'), ...exclude]));
}
if (results.includes(false)) process.exitCode = 1;
