/**
 * `npm run bench:topics:slow`: the latency of messages to 950 members, and to the same number beside 50 that do not read. Two servers with topics in
 * memory take turns, so that both halves of a round have the same machine. Prints a table in Markdown, and the ratio.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type WebSocket } from '../../lib/webSocketHandler';
import { type Summary, summarize, summarizeRatios } from '../statistics';
import { type Latency, Members, plain } from './members';
import { ask, endServer, startServer } from './serverProcess';

const smoke = process.argv.includes('--smoke');
const readers = smoke ? 95 : 950;
const notReaders = smoke ? 5 : 50;
const rounds = smoke ? 1 : 7;
const messages = smoke ? 10 : 100;
const size = 100;
/** Milliseconds between two messages: the server is busy for less than half of the time. */
const pause = 40;
/** Of the messages that fill the buffers of those that do not read. */
const largeSize = 64 * 1024;

class Side {
  readonly results: Latency[] = [];
  readonly #server: ChildProcess;
  readonly #members: Members;
  readonly #idle: readonly WebSocket[];

  private constructor(server: ChildProcess, members: Members, idle: readonly WebSocket[]) {
    this.#server = server;
    this.#members = members;
    this.#idle = idle;
  }

  static async start(count: number): Promise<Side> {
    const [server, port] = await startServer('memory', 0);
    const idle = Array.from({ length: count }, () => connect(`ws://127.0.0.1:${port}`));
    await Promise.all(idle.map((ws) => once(ws, 'open')));
    const filler = await Members.join([port], 1, plain, largeSize);
    // The operating system takes some megabytes for each of them.
    while ((await ask(server, 'catchingUp')) < count) await filler.flood(50, 10);
    filler.leave();
    return new Side(server, await Members.join([port], readers, plain, size), idle);
  }

  async measure(): Promise<void> {
    this.results.push(await this.#members.latency(messages, pause));
  }

  async end(): Promise<void> {
    const behind = await ask(this.#server, 'catchingUp');
    const { length } = this.#idle;
    if (behind !== length) throw new Error(`${behind} members have fallen behind at the end, and not ${length}`);
    this.#members.leave();
    for (const ws of this.#idle) ws.abort();
    await endServer(this.#server);
  }

  of(part: keyof Latency): number[] {
    return this.results.map((result) => result[part]);
  }
}

const withQuartiles = ({ median, lower, upper }: Summary) =>
  `${median.toFixed(2)} (${lower.toFixed(2)} to ${upper.toFixed(2)})`;

async function main(): Promise<void> {
  const without = await Side.start(0);
  const beside = await Side.start(notReaders);
  for (const side of [without, beside]) await side.measure();
  for (const side of [without, beside]) side.results.length = 0;
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [without, beside] : [beside, without];
    for (const side of order) await side.measure();
  }
  await without.end();
  await beside.end();
  console.log(
    `Messages of ${size} B to ${readers} members, one in ${pause} ms; ${rounds} rounds, medians and quartiles\n`,
  );
  console.log('|  | 50 %, ms | 99 %, ms |');
  console.log('| --- | --- | --- |');
  const row = (name: string, figures: (part: keyof Latency) => Summary) =>
    console.log(`| ${name} | ${withQuartiles(figures('p50'))} | ${withQuartiles(figures('p99'))} |`);
  row('alone', (part) => summarize(without.of(part)));
  row(`beside ${notReaders} that do not read`, (part) => summarize(beside.of(part)));
  row('ratio', (part) => summarizeRatios(beside.of(part), without.of(part)));
}

void main();
