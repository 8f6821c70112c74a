import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const gibibyte = 2 ** 30;
const mebibyte = 2 ** 20;

/** Bytes of the message, and the mark: how much resident memory an echo of it may take on either side. */
const size = Number(process.env['GIBIBYTES'] ?? 4) * gibibyte;
const mark = 48 * mebibyte;
/** Where a peer that keeps the message is stopped, before it takes the machine along. */
const mostGrowth = 1024 * mebibyte;

interface Report {
  readonly growth?: number;
  readonly failure?: string;
  readonly port?: number;
  readonly slowestPing?: number;
  readonly pings?: number;
}

function start(settings: object): ChildProcess {
  const parameter = JSON.stringify({ size, mostGrowth, ...settings });
  return fork(join(__dirname, 'largePeer.js'), [parameter]);
}

async function report(...processes: ChildProcess[]): Promise<Report> {
  const [message] = await Promise.race(processes.map((each) => once(each, 'message')));
  return message as Report;
}

async function echo(library: string): Promise<string> {
  const server = start({ library, role: 'server' });
  const { port } = await report(server);
  const started = performance.now();
  const client = start({ library, role: 'client', port });
  server.send('start');
  const ofClient = await report(client, server);
  let result = `stopped, ${ofClient.failure}`;
  if (ofClient.growth !== undefined) {
    server.send('report');
    const growths = [(await report(server)).growth ?? 0, ofClient.growth];
    const seconds = (performance.now() - started) / 1000;
    const [ofServer, own] = growths.map((growth) => (growth / mebibyte).toFixed(0));
    result = `server ${ofServer} MiB, client ${own} MiB, ${seconds.toFixed(1)} s`;
    if (ofClient.pings) result += `, ${ofClient.pings} pings, the slowest ${ofClient.slowestPing?.toFixed(0)} ms`;
    if (library === 'ours') result += Math.max(...growths) < mark ? `   met (${mark / mebibyte})` : `   missed`;
  }
  for (const each of [client, server]) if (each.connected) each.disconnect();
  return result;
}

/** An echo of one message that is larger than any buffer, and what it costs in resident memory. */
export async function compareLargeMessages(): Promise<void> {
  console.log(`\none message of ${size / gibibyte} GiB, growth of resident memory`);
  for (const library of ['ours', 'ws', 'websocket-stream']) console.log(`${library.padEnd(30)}${await echo(library)}`);
}
