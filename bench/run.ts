/**
 * `npm run bench [-- part of a scenario's name]`: CPU time per echoed message of this library and of ws, as their ratio.
 *
 * Server and load generator have a core each. The two libraries take turns, several rounds, and the median of the rounds'
 * ratios counts: machines swing by tens of per cent, but both halves of a round swing together.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Scenario, scenarios } from './scenarios';

const rounds = Number(process.env['ROUNDS'] ?? 5);
const warmUp = 700;
const measured = Number(process.env['MILLISECONDS'] ?? 1500);
const libraries = ['ours', 'ws'] as const;
type Library = (typeof libraries)[number];

const pinned = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;
if (!pinned)
  console.log('taskset or a second core is missing: server and load share cores, and the figures swing more.');

/** Starts a file of this folder on a core of its own. */
function start(core: number, file: string, argument: string): ChildProcess {
  const compiler = file.endsWith('.ts') ? ['--require', 'ts-node/register'] : [];
  const node = [process.execPath, ...compiler, join(__dirname, file), argument];
  const [command, ...rest] = pinned ? ['taskset', '--cpu-list', String(core), ...node] : node;
  return spawn(command as string, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function ask<T>(child: ChildProcess, question: string): Promise<T> {
  const answer = once(child, 'message');
  child.send(question);
  return (await answer)[0] as T;
}

/** Microseconds of server CPU time for one echoed message. */
async function measure(server: ChildProcess, port: number, scenario: Scenario): Promise<number> {
  const load = start(1, 'load.ts', JSON.stringify({ port, scenario }));
  await once(load, 'message');
  await wait(warmUp);
  const count = async () => (await ask<{ echoed: number }>(load, 'count')).echoed;
  const cpu = async () => {
    const { user, system } = (await ask<{ cpu: NodeJS.CpuUsage }>(server, 'cpu')).cpu;
    return user + system;
  };
  const before = { cpu: await cpu(), echoed: await count() };
  await wait(measured);
  const used = (await cpu()) - before.cpu;
  const echoed = (await count()) - before.echoed;
  load.send('stop');
  await once(load, 'exit');
  return used / echoed;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

async function compare(scenario: Scenario): Promise<boolean> {
  const servers = libraries.map((library) => start(0, 'echoServer.js', library));
  const ports = await Promise.all(servers.map(async (s) => ((await once(s, 'message'))[0] as { port: number }).port));
  const costs: Record<Library, number[]> = { ours: [], ws: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [index, library] of libraries.entries()) {
      costs[library].push(await measure(servers[index] as ChildProcess, ports[index] as number, scenario));
    }
  }
  for (const server of servers) server.disconnect();
  const ratio = median(costs.ours.map((cost, round) => cost / (costs.ws[round] as number)));
  const met = ratio <= scenario.mark;
  const cells = [
    median(costs.ours).toFixed(2),
    median(costs.ws).toFixed(2),
    ratio.toFixed(3),
    scenario.mark.toFixed(2),
  ];
  const name = `${scenario.name}, ${scenario.kind}`;
  console.log(`${name.padEnd(30)}${cells.map((cell) => cell.padStart(10)).join('')}   ${met ? 'met' : 'missed'}`);
  return met;
}

async function main(): Promise<void> {
  const wanted = scenarios.filter(({ name, kind }) => `${name}, ${kind}`.includes(process.argv[2] ?? ''));
  console.log(`${''.padEnd(30)}${['ours, µs', 'ws, µs', 'ratio', 'mark'].map((title) => title.padStart(10)).join('')}`);
  for (const scenario of wanted) await compare(scenario);
}

main();
