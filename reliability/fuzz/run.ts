/**
 * `npm run fuzz -- [--seconds N] [--keep] [target ...]`: fuzzes the targets, each for so many seconds (60 by default), and fails if one of them has
 * a finding. It begins with the seeds and with `corpus/`; with `--keep`, what it learns is added there. An input that fails is written to `output/`:
 * `npm run fuzz -- --input FILE target` runs it again.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compatibleEnvironment, type Environment } from './compatible';
import { seeds } from './seeds';
import { targets } from './targets';

const output = join(__dirname, 'output');

/** The library and the targets as JavaScript: the fuzzer instruments what Node loads. */
function compile(): void {
  const settings = ['--project', join(__dirname, 'tsconfig.json')];
  const { status } = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), ...settings], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('tsc has failed');
}

/** Inputs that reach all that earlier runs have reached, a line of hexadecimal digits for each. */
const corpusOf = (target: string) => join(__dirname, 'corpus', `${target}.txt`);

function readCorpus(target: string): Buffer[] {
  const file = corpusOf(target);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  return lines.map((line) => Buffer.from(line, 'hex'));
}

/** Writes inputs as files, named by what is in them, as the fuzzer names its own. */
function writeInputs(inputs: readonly Buffer[], folder: string): void {
  for (const input of inputs) writeFileSync(join(folder, createHash('sha1').update(input).digest('hex')), input);
}

/** What the fuzzer prints at its end: of a session, and of one input. */
const end = /Done \d+ runs|Executed .* in \d+ ms/;

/** The runs and the edges of the code that were reached, as the fuzzer prints them at its end. */
function figures(log: string): string {
  const [, runs = '?', seconds = '?'] = /Done (\d+) runs in (\d+) second/.exec(log) ?? [];
  const covered = [...log.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1);
  const [, edges = '?', features = '?', corpus = '?'] = covered ?? [];
  return `${runs} runs in ${seconds} s, ${edges} edges, ${features} features, ${corpus} inputs kept`;
}

interface Wishes {
  readonly seconds: number;
  readonly input: string | undefined;
  /** Whether to keep what was learned: the smallest corpus that reaches the same. */
  readonly keep: boolean;
}

interface Result {
  readonly passed: boolean;
  readonly log: string;
}

function runFuzzer(
  target: string,
  inputs: readonly string[],
  limits: readonly string[],
  variables: Environment,
): Result {
  const folder = join(output, target);
  const parameters = [
    require.resolve('@jazzer.js/core/dist/cli.js'),
    join(__dirname, 'build', 'reliability', 'fuzz', 'targets', `${target}.js`),
    ...inputs,
    ...(targets[target]?.sync ? ['--sync'] : []),
    ...['--includes', join(__dirname, 'build', 'lib')],
    // They are for programs that run commands and open files.
    ...['--disableBugDetectors', '.*'],
    '--',
    ...limits,
    '-timeout=20',
    '-rss_limit_mb=4096',
    '-max_len=4096',
    `-artifact_prefix=${folder}/`,
  ];
  const env = { ...process.env, ...variables, NODE_OPTIONS: `--require ${join(__dirname, 'loadCopy.cjs')}` };
  const options = { cwd: folder, env, encoding: 'utf8', maxBuffer: 2 ** 30 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, options);
  const log = `${stdout}${stderr}`;
  writeFileSync(join(folder, 'log.txt'), log);
  return { passed: status === 0 && (end.test(log) || limits.includes('-merge=1')), log };
}

function keepCorpus(target: string, learned: string, variables: Environment): void {
  const least = join(output, target, 'least');
  rmSync(least, { recursive: true, force: true });
  mkdirSync(least);
  const { passed, log } = runFuzzer(target, [least, learned], ['-merge=1'], variables);
  if (!passed) throw new Error(`The corpus of ${target} could not be merged: ${log.slice(-2000)}`);
  const inputs = readdirSync(least).map((name) => readFileSync(join(least, name)).toString('hex'));
  mkdirSync(join(__dirname, 'corpus'), { recursive: true });
  writeFileSync(
    corpusOf(target),
    `${inputs.sort((one, other) => one.length - other.length || (one < other ? -1 : 1)).join('\n')}\n`,
  );
}

function fuzz(target: string, { seconds, input, keep }: Wishes, variables: Environment): boolean {
  const learned = join(output, target, 'corpus');
  mkdirSync(learned, { recursive: true });
  writeInputs([...(seeds[target] ?? []), ...readCorpus(target)], learned);
  const inputs = input === undefined ? [learned] : [resolve(input)];
  const { passed, log } = runFuzzer(
    target,
    inputs,
    [input === undefined ? `-max_total_time=${seconds}` : '-runs=1'],
    variables,
  );
  console.log(`${target}: ${figures(log)}: ${passed ? 'no finding' : 'a finding'}`);
  // What failed, and the name of the file that has it.
  if (!passed)
    console.log(
      log
        .split('\n')
        .filter((line) => !/^#|^INFO|^Skip/.test(line))
        .join('\n'),
    );
  if (passed && keep) keepCorpus(target, learned, variables);
  return passed;
}

const parameters = process.argv.slice(2);
function take(option: string): string | undefined {
  const at = parameters.indexOf(option);
  return at === -1 ? undefined : parameters.splice(at, 2)[1];
}
function takeFlag(option: string): boolean {
  const at = parameters.indexOf(option);
  if (at !== -1) parameters.splice(at, 1);
  return at !== -1;
}

const wishes: Wishes = { seconds: Number(take('--seconds') ?? 60), input: take('--input'), keep: takeFlag('--keep') };
for (const name of parameters)
  if (!(name in targets)) throw new Error(`${name} is no target: ${Object.keys(targets).join(', ')}`);
if (!existsSync(join(__dirname, 'node_modules'))) {
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], {
    cwd: __dirname,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('npm ci has failed');
}
compile();
const environment = compatibleEnvironment();
const results = Object.keys(targets)
  .filter((target) => parameters.length === 0 || parameters.includes(target))
  .map((target) => fuzz(target, wishes, environment));
if (results.includes(false)) process.exitCode = 1;
console.log(`${results.filter(Boolean).length} targets without a finding, of ${results.length}`);
