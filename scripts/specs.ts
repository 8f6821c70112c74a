/**
 * `npm run spec [-- [--all] [--coverage] [--ours] [--together | --alone] [options of Mocha]]`: runs the spec files, several at a time.
 *
 * - `--all`: also the slow files, those that need other programs or frameworks, and every seed and combination, unless `SEEDS` and `ENDINGS`
 *   are set.
 * - `--coverage`: measures the coverage of lib/, and fails if it is below what .c8rc.json asks for.
 * - `--ours`: the files that need no other programs, the slow ones too, without those that say the same on every Node.
 * - `--together`: only the files that can run beside others; `--alone`: only those that cannot.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { typeOnlyFiles } from './typeOnlyFiles';

const root = join(__dirname, '..');
const coverage = join(root, 'coverage');

/** They measure real milliseconds, or start so many processes that nothing else should run beside them. */
const alone = ['spec/deadPeer.spec.ts', 'spec/topics/fire.spec.ts', 'spec/topics/nats/natsBroker.spec.ts'];

/** It runs programs of others on the adapters, from a folder of packages of their own. */
const adapted = 'spec/adapters/ws/programs.spec.ts';

/** They take long: ten thousand connections, each stage of a handshake, real outages. Only with --all, --coverage or --ours. */
const slow = [
  'spec/deadPeer.spec.ts',
  'spec/badNetworks.spec.ts',
  'spec/processFaults.spec.ts',
  'spec/hostileHttp2Resets.spec.ts',
  'spec/http2ClientStages.spec.ts',
];

/** They run with frameworks that have a folder of packages of their own: only with --all and --coverage, which install it if it is missing. */
const frameworks = join('demo', 'frameworks');
const needsFrameworks = (file: string) => file.startsWith(join('spec', 'integrations'));

/** They start programs such as browsers, proxies, npm and Mocha, and take long: only with --all, and not with --ours. */
const withPrograms = [
  adapted,
  'spec/commandLine.spec.ts',
  'spec/demos.spec.ts',
  'spec/docs/scaling.spec.ts',
  'spec/docs/proxies.spec.ts',
  'spec/hijacking.spec.ts',
  'spec/http2Peers.spec.ts',
  'spec/http2Servers.spec.ts',
  'spec/leaks.spec.ts',
  'spec/manifest.spec.ts',
  'spec/package.spec.ts',
  'spec/realPeers.spec.ts',
  'spec/realServers.spec.ts',
  'spec/topics/fire.spec.ts',
  'spec/topics/nats/natsBroker.spec.ts',
  'spec/topics/redis/redisBroker.spec.ts',
];

/** About source text, documents, the kernel's network and other packages: on another Node they would say the same. Not with --ours. */
const sameOnEveryNode = [
  'spec/apiReport.spec.ts',
  'spec/badNetworks.spec.ts',
  'spec/docs.spec.ts',
  'spec/frameworksPage.spec.ts',
  'spec/ranks.spec.ts',
  'spec/regularExpressions.spec.ts',
  'spec/reliability.spec.ts',
  'spec/supplyChain.spec.ts',
];
const isSameOnEveryNode = (file: string) => sameOnEveryNode.includes(file) || file.startsWith(join('spec', 'docs'));

/** The files that take longest are started first, so that none of them is left when the others are done. Others may be missing here. */
const longest = [
  'spec/topics/fire.spec.ts',
  'spec/demos.spec.ts',
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
  'spec/hostileHeaders.spec.ts',
  'spec/regularExpressions.spec.ts',
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

/** Packages of their own, installed where specs need them: programs that run on the adapters, and frameworks. */
function install(folder: string): void {
  const npm = (...parameters: string[]) => spawnSync('npm', parameters, { cwd: join(root, folder) });
  // Does nothing if what package.json asks for is there.
  if (npm('ls').status === 0) return;
  const { status, stderr } = npm('ci', '--no-audit', '--no-fund', '--silent');
  if (status !== 0) throw new Error(`npm ci in ${folder} failed: ${stderr}`);
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
  process.env['SEEDS'] ??= 'all';
  process.env['ENDINGS'] ??= 'all';
}
const left = [...(all || ours || withCoverage ? [] : slow), ...(all && !ours ? [] : withPrograms)];
const withFrameworks = (all || withCoverage) && !ours;
const chosen = findSpecs().filter(
  (file) => !left.includes(file) && (withFrameworks || !needsFrameworks(file)) && (!ours || !isSameOnEveryNode(file)),
);
if (withFrameworks && chosen.some(needsFrameworks)) install(frameworks);
if (chosen.includes(adapted)) install(join('scripts', 'adapted'));
if (withCoverage) {
  rmSync(coverage, { recursive: true, force: true });
  process.env['NODE_V8_COVERAGE'] = join(coverage, 'tmp');
}
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
