/**
 * `npm run bench [-- part of a scenario's name]`: what an echo costs this library and ws, as their ratio.
 *
 * What is measured has one core, what it talks to another. The two libraries take turns, several rounds, and the median of the rounds'
 * ratios counts: machines swing by tens of per cent, but both halves of a round swing together.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { compareLargeMessages } from './largeMessage';
import { type Scenario, scenarios } from './scenarios';

const rounds = Number(process.env['ROUNDS'] ?? 5);
const warmUp = 700;
const measured = Number(process.env['MILLISECONDS'] ?? 1500);
/** Until connections count as silent: our server's `idleRelease` and some more. */
const idle = 2500;
const libraries = ['ours', 'ws'] as const;
type Library = (typeof libraries)[number];

const pinned = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;
if (!pinned)
  console.log('taskset or a second core is missing: server and load share cores, and the figures swing more.');

/** Starts a file of this folder on a core of its own. */
function start(core: number, file: string, argument: string): ChildProcess {
  const compiler = file.endsWith('.ts') ? ['--require', 'ts-node/register'] : [];
  const node = [process.execPath, '--expose-gc', ...compiler, join(__dirname, file), argument];
  const [command, ...rest] = pinned ? ['taskset', '--cpu-list', String(core), ...node] : node;
  // ws as it is installed by itself, also where something else has brought its optional addon along.
  const env = { ...process.env, WS_NO_BUFFER_UTIL: '1' };
  return spawn(command as string, rest, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function ask<T>(child: ChildProcess, question: string): Promise<T> {
  const answer = once(child, 'message');
  child.send(question);
  return (await answer)[0] as T;
}

interface Figures {
  readonly cost: number;
  /** Bytes of an answer's payload, on the wire. */
  readonly answerSize: number;
}

/** Server CPU time in µs for one message that the load has received. */
async function measureCpu({ server, port }: RunningServer, scenario: Scenario): Promise<Figures> {
  const load = await startLoad(port, scenario);
  await wait(warmUp);
  const count = async () => ask<{ echoed: number; received: number }>(load, 'count');
  const cpu = async () => {
    const { user, system } = (await ask<{ cpu: NodeJS.CpuUsage }>(server, 'cpu')).cpu;
    return user + system;
  };
  const before = { cpu: await cpu(), ...(await count()) };
  await wait(measured);
  const used = (await cpu()) - before.cpu;
  const { echoed, received } = await count();
  await stopLoad(load);
  const messages = echoed - before.echoed;
  return { cost: used / messages, answerSize: (received - before.received) / messages };
}

/** Resident memory in KiB for a connection that has had one exchange, and then silence. */
async function measureMemory({ server, port }: RunningServer, scenario: Scenario): Promise<Figures> {
  const memory = async () => (await ask<{ memory: number }>(server, 'memory')).memory;
  // What the first connections load, compile and cache is not theirs.
  await stopLoad(await startLoad(port, { ...scenario, connections: 50 }));
  await wait(warmUp);
  const before = await memory();
  const load = await startLoad(port, scenario);
  await wait(idle);
  const used = (await memory()) - before;
  await stopLoad(load);
  return { cost: used / scenario.connections / 1024, answerSize: 0 };
}

/** Client CPU time in µs for one echoed message, or for one connection; the server is ours for both libraries. */
async function measureClient({ port }: RunningServer, scenario: Scenario, library: Library): Promise<Figures> {
  const client = start(0, 'echoClient.js', JSON.stringify({ library, port, scenario }));
  const count = async () => ask<{ cpu: NodeJS.CpuUsage; done: number }>(client, 'count');
  await wait(2 * warmUp);
  const before = await count();
  await wait(measured);
  const after = await count();
  const used = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  client.disconnect();
  await once(client, 'exit');
  return { cost: used / (after.done - before.done), answerSize: 0 };
}

const measurements = {
  cpu: measureCpu,
  memory: measureMemory,
  client: measureClient,
  handshakes: measureClient,
  broadcast: measureCpu,
} as const;

async function startLoad(port: number, scenario: Scenario): Promise<ChildProcess> {
  const load = start(
    1,
    scenario.measures === 'broadcast' ? 'broadcastLoad.ts' : 'load.ts',
    JSON.stringify({ port, scenario }),
  );
  const failed = once(load, 'exit').then(() => Promise.reject(new Error('The load generator has failed')));
  await Promise.race([once(load, 'message'), failed]);
  failed.catch(() => {});
  return load;
}

async function stopLoad(load: ChildProcess): Promise<void> {
  const exited = once(load, 'exit');
  load.send('stop');
  await exited;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

async function compare(scenario: Scenario): Promise<void> {
  const { name, kind, measures, deflate, mark } = scenario;
  const figures: Record<Library, Figures[]> = { ours: [], ws: [] };
  const ofServer = measures !== 'client' && measures !== 'handshakes';
  const file = measures === 'broadcast' ? 'broadcastServer.js' : 'echoServer.js';
  // Memory is measured in a fresh process every time, for no process gives back all that it had.
  const servings = measures === 'memory' ? rounds : 1;
  for (let serving = 0; serving < servings; serving++) {
    const starting = libraries.map((library) =>
      ofServer ? startServer(library, deflate, 0, file) : startServer('ours', false, 1, file),
    );
    const servers = await Promise.all(starting);
    for (let round = 0; round < rounds / servings; round++) {
      for (const [index, library] of libraries.entries()) {
        figures[library].push(await measurements[measures](servers[index] as RunningServer, scenario, library));
      }
    }
    for (const { server } of servers) server.disconnect();
  }
  const ratioOf = (value: (figures: Figures) => number) =>
    median(figures.ours.map((ours, round) => value(ours) / value(figures.ws[round] as Figures)));
  const ratio = ratioOf(({ cost }) => cost);
  const unit = measures === 'memory' ? 'KiB' : 'µs';
  const cells = [
    `${median(figures.ours.map(({ cost }) => cost)).toFixed(2)} ${unit}`,
    `${median(figures.ws.map(({ cost }) => cost)).toFixed(2)} ${unit}`,
    ratio.toFixed(3),
    mark.toFixed(2),
  ];
  const verdict = ratio <= mark ? 'met' : 'missed';
  const title = `${name}, ${measures === 'memory' ? 'memory' : kind}`;
  console.log(`${title.padEnd(30)}${cells.map((cell) => cell.padStart(12)).join('')}   ${verdict}`);
  if (deflate && measures !== 'memory') {
    const size = ratioOf(({ answerSize }) => answerSize);
    // What is compressed once for all cannot refer to what each of them got before.
    const sizeMark = measures === 'broadcast' ? '' : '1.00';
    console.log(`${'  bytes on the wire'.padEnd(30)}${size.toFixed(3).padStart(36)}${sizeMark.padStart(12)}`);
  }
}

interface RunningServer {
  readonly server: ChildProcess;
  readonly port: number;
}

async function startServer(library: Library, deflate: boolean, core: number, file: string): Promise<RunningServer> {
  const server = start(core, file, JSON.stringify({ library, deflate }));
  const [{ port }] = (await once(server, 'message')) as [{ port: number }];
  return { server, port };
}

async function main(): Promise<void> {
  const part = process.argv[2] ?? '';
  const wanted = scenarios.filter((scenario) => Object.values(scenario).join(', ').includes(part));
  console.log(`${''.padEnd(30)}${['ours', 'ws', 'ratio', 'mark'].map((title) => title.padStart(12)).join('')}`);
  for (const scenario of wanted) await compare(scenario);
  if ('one message of any size'.includes(part)) await compareLargeMessages();
}

main();
