/**
 * `npm run bench:topics`: two server processes with a broker between them, and members that get every message, beside Socket.IO with its Redis
 * Streams adapter on the same work. The servers share one core; the engine and the members have the other. Prints a table in Markdown.
 */
import type { ChildProcess } from 'node:child_process';
import type { Context } from 'mocha';
import { type Engine, startNats, startRedis } from '../../spec/support/engines';
import { summarize } from '../statistics';
import { type Dialect, type Latency, Members, plain, socketIo } from './members';
import { ask, endServer, startServer } from './serverProcess';

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

interface Result extends Latency {
  /** CPU time of both servers for each delivered message, in µs. */
  readonly cpu: number;
  readonly published: number;
}

async function cpuOf(servers: readonly ChildProcess[]): Promise<number> {
  const times = await Promise.all(servers.map((server) => ask(server, 'cpu')));
  return times.reduce((sum, time) => sum + time, 0);
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
    results.push({
      cpu: spent / (messages * members),
      published: messages / seconds,
      ...(await all.latency(paced, pause)),
    });
  }
  all.leave();
  for (const server of servers) await endServer(server);
  await engine.dispose();
  return results;
}

async function main(): Promise<void> {
  const rows: [string, Result][] = [];
  for (const [name, contender] of Object.entries(contenders)) {
    const results = await measure(contender);
    const of = (figure: keyof Result) => summarize(results.map((result) => result[figure])).median;
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
