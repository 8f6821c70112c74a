/**
 * `npm run capacity [-- --connections 250000] [--only ours|ws]`: opens as many idle connections, and prints what they cost: memory, the
 * rate of new connections, heartbeats, and a broadcast to all. docs/capacity.md has the results.
 *
 * There are as many servers as are needed, as on a machine with `node:cluster`, and a process of clients for each of them.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BenchProcess } from '../processes';

const libraries = ['ours', 'ws'] as const;
type Library = (typeof libraries)[number];

/** Milliseconds between two pings. */
const heartbeat = 30_000;
/** Bytes of a text message of 1 KiB with its header. */
const broadcastBytes = 4 + 1024;
const steps = 10;
/** Connections that are open before the memory is looked at: the code is compiled then, and the pools are filled. */
const warmUp = 500;
/** Files of a process that are no connections. */
const otherFiles = 200;

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '250000' }, only: { type: 'string' } },
});

interface Memory {
  readonly resident: number;
  readonly heap: number;
}

/** A server, and the clients that have connections to it. */
class Pair {
  readonly #server: BenchProcess;
  readonly #clients: BenchProcess;
  readonly #port: number;

  private constructor(server: BenchProcess, clients: BenchProcess, port: number) {
    this.#server = server;
    this.#clients = clients;
    this.#port = port;
  }

  static async start(library: Library): Promise<Pair> {
    const serverSettings = { library, heartbeat };
    const server = { core: 'measured', file: 'capacity/server.js', settings: serverSettings } as const;
    const clients = { core: 'other', file: 'capacity/clients.js' } as const;
    const [serverProcess, port] = await BenchProcess.start<number>(server);
    const [clientsProcess] = await BenchProcess.start(clients);
    return new Pair(serverProcess, clientsProcess, port);
  }

  async ask<T>(question: string): Promise<T> {
    return this.#server.ask<T>(question);
  }

  async open(count: number): Promise<void> {
    await this.#clients.ask({ task: 'open', parameters: { port: this.#port, count } });
  }

  /** Sends a message to all clients, and waits until they have it. */
  async broadcast(): Promise<void> {
    await this.#clients.ask({ task: 'expect', parameters: { bytes: broadcastBytes } });
    const everybody = this.#clients.next<null>();
    await this.#server.ask<null>('broadcast');
    await everybody;
  }

  async lost(): Promise<number> {
    return this.#clients.ask<number>({ task: 'lost' });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await this.#clients.stop();
  }
}

/**
 * Most connections of one process: as many files as it may open, and as many ports as Linux gives to one destination before it has to
 * search for free ones.
 */
function mostOfProcess(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const files = Number(/^Max open files +(\d+)/m.exec(limits)?.[1]);
  return Math.min(files - otherFiles, 14_000);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
const seconds = (since: number) => (performance.now() - since) / 1000;
const kibibytes = (bytes: number) => `${(bytes / 1024).toFixed(2)} KiB`;
const grouped = (count: number) => count.toLocaleString('en');

async function measure(library: Library, connections: number): Promise<void> {
  const count = Math.ceil(connections / mostOfProcess());
  console.log(`\n${library}: ${grouped(connections)} connections to ${count} server${count === 1 ? '' : 's'}`);
  const pairs: Pair[] = [];
  const all = async <T>(work: (pair: Pair) => Promise<T>): Promise<T[]> => Promise.all(pairs.map(work));
  const cpu = async () => sum(await all((pair) => pair.ask<number>('cpu'))) / 1e6;
  const memory = async (name: keyof Memory) =>
    sum((await all((pair) => pair.ask<Memory>('memory'))).map((one) => one[name]));
  try {
    for (let i = 0; i < count; i++) pairs.push(await Pair.start(library));
    await all((pair) => pair.open(warmUp));
    const before = { resident: await memory('resident'), heap: await memory('heap') };
    const opening = { cpu: await cpu(), since: performance.now() };
    const share = Math.round((connections - warmUp * count) / count / steps);
    const added = share * steps * count;
    for (let i = 0; i < steps; i++) {
      const since = performance.now();
      await all((pair) => pair.open(share));
      const open = count * (warmUp + share * (i + 1));
      console.log(`  ${grouped(open)} open, ${Math.round((share * count) / seconds(since))} per second`);
    }
    const openedIn = seconds(opening.since);
    const cpuEach = ((await cpu()) - opening.cpu) / added;
    console.log(`  opened in ${openedIn.toFixed(0)} s, ${(cpuEach * 1e6).toFixed(0)} µs of CPU time each`);
    const resident = ((await memory('resident')) - before.resident) / added;
    const heap = ((await memory('heap')) - before.heap) / added;
    console.log(`  memory of each: ${kibibytes(resident)} resident, ${kibibytes(heap)} heap`);

    await all((pair) => pair.ask('delay'));
    const idle = { cpu: await cpu(), since: performance.now() };
    await delay(2 * heartbeat);
    const idleCpu = (100 * ((await cpu()) - idle.cpu)) / seconds(idle.since);
    const longest = Math.max(...(await all((pair) => pair.ask<number>('delay'))));
    console.log(
      `  heartbeats: ${idleCpu.toFixed(1)} % of a core, event loop delayed by ${longest.toFixed(0)} ms at most`,
    );

    const broadcast = { cpu: await cpu(), since: performance.now() };
    await all((pair) => pair.broadcast());
    const taken = seconds(broadcast.since);
    const used = (await cpu()) - broadcast.cpu;
    console.log(`  1 KiB to all: ${taken.toFixed(1)} s until the last has it, ${used.toFixed(1)} s of CPU time`);
    const open = sum(await all((pair) => pair.ask<number>('count')));
    const lost = sum(await all((pair) => pair.lost()));
    console.log(`  at the end: ${grouped(open)} open, ${lost} lost`);
  } finally {
    await Promise.all(pairs.map((pair) => pair.stop()));
  }
}

async function main(): Promise<void> {
  for (const library of libraries)
    if (values.only === undefined || values.only === library) await measure(library, Number(values.connections));
}

void main();
