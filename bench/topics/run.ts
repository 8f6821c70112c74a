/**
 * `npm run bench:topics`: two server processes with a broker between them, and members that get every message, beside Socket.IO with its Redis
 * Streams adapter on the same work. The servers share one core; the engine and the members have the other. Prints a table in Markdown.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { type Engine, startNats, startRedis } from '../../spec/support/engines';
import { pinned } from '../processes';
import { type Dialect, Members, plain, socketIo } from './members';

interface Contender {
  readonly kind: string;
  readonly start: (context: Context) => Promise<Engine>;
  readonly dialect: Dialect;
}

const contenders: Readonly<Record<string, Contender>> = {
  'ours, NATS JetStream': { kind: 'nats', start: startNats, dialect: plain },
  'ours, Redis Streams': { kind: 'redis', start: startRedis, dialect: plain },
  'Socket.IO, Redis Streams': { kind: 'socket.io', start: startRedis, dialect: socketIo },
};

const size = 100;
const members = 200;
const window = 64;
const smoke = process.argv.includes('--smoke');
const rounds = smoke ? 1 : 3;
const messages = smoke ? 20 : 400;

/** Milliseconds between two messages when the latency is measured, and how many there are. */
const pause = 10;
const paced = smoke ? 10 : 100;

const context = {
  skip() {
    throw new Error('nats-server and redis-server are needed: apt-get install nats-server redis-server');
  },
} as unknown as Context;

interface Result {
  /** CPU time of both servers for each delivered message, in µs. */
  readonly cpu: number;
  readonly published: number;
  readonly p50: number;
  readonly p99: number;
}

async function startServer(kind: string, port: number): Promise<[ChildProcess, number]> {
  const node = [process.execPath, join(__dirname, 'server.js'), kind, `${port}`];
  const [command = '', ...parameters] = pinned ? ['taskset', '--cpu-list', '0', ...node] : node;
  const child = spawn(command, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [listening] = await once(child, 'message');
  return [child, listening as number];
}

async function cpuOf(servers: readonly ChildProcess[]): Promise<number> {
  const times = servers.map(async (server) => {
    const answer = once(server, 'message');
    server.send('cpu');
    return (await answer)[0] as number;
  });
  return (await Promise.all(times)).reduce((sum, time) => sum + time, 0);
}

async function measure({ kind, start, dialect }: Contender): Promise<Result[]> {
  const engine = await start(context);
  const started = await Promise.all([1, 2].map(() => startServer(kind, engine.port)));
  const servers = started.map(([server]) => server);
  const all = await Members.join(
    started.map(([, port]) => port),
    members,
    dialect,
    size,
  );
  const results: Result[] = [];
  // Until all members have joined, and the code is compiled.
  await all.flood(messages, window);
  for (let round = 0; round < rounds; round++) {
    const cpu = await cpuOf(servers);
    const from = performance.now();
    await all.flood(messages, window);
    const seconds = (performance.now() - from) / 1000;
    const spent = (await cpuOf(servers)) - cpu;
    results.push({ cpu: spent / (messages * members), published: messages / seconds, ...(await latencyOf(all)) });
  }
  all.leave();
  for (const server of servers) {
    server.disconnect();
    await once(server, 'exit');
  }
  await engine.dispose();
  return results;
}

async function latencyOf(all: Members): Promise<{ readonly p50: number; readonly p99: number }> {
  const before = all.deliveries / members;
  all.latencies = [];
  for (let i = 0; i < paced; i++) {
    const paused = new Promise((resolve) => setTimeout(resolve, pause));
    all.send(i);
    await paused;
  }
  await all.delivered(before + paced);
  const sorted = all.latencies.sort((one, other) => one - other);
  all.latencies = undefined;
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function main(): Promise<void> {
  const rows: [string, Result][] = [];
  for (const [name, contender] of Object.entries(contenders)) {
    const results = await measure(contender);
    const of = (figure: keyof Result) => median(results.map((result) => result[figure]));
    rows.push([name, { cpu: of('cpu'), published: of('published'), p50: of('p50'), p99: of('p99') }]);
  }
  const reference = rows.at(-1)?.[1].cpu ?? Number.NaN;
  console.log(`Messages of ${size} B to ${members} members at two servers; ${rounds} rounds, medians\n`);
  console.log(
    '|  | CPU time per delivered message, µs | : Socket.IO | published per second | delivered per second | 50 %, ms | 99 %, ms |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const [name, { cpu, published, p50, p99 }] of rows) {
    const figures = [
      cpu.toFixed(2),
      (cpu / reference).toFixed(2),
      published.toFixed(0),
      (published * members).toFixed(0),
    ];
    console.log(`| ${[name, ...figures, p50.toFixed(1), p99.toFixed(1)].join(' | ')} |`);
  }
}

void main();
