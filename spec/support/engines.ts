import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'mocha';
import { freePort } from './program';
import { natsServer, need, redisServer } from './tools';

/** The server of a broker, in a temporary folder of its own, on a port that stays the same. */
export interface Engine {
  readonly port: number;
  /** Resolves when it accepts connections. */
  start(): Promise<void>;
  /** Ends it; its data stays. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Stops and continues the process. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends it, and removes its data. */
  dispose(): Promise<void>;
}

type Parameters = (port: number, folder: string) => readonly string[];

/** nats-server with JetStream. The context is that of the calling hook. */
export function startNats(context: Context): Promise<Engine> {
  const parameters: Parameters = (port, folder) => ['-js', '-sd', folder, '-a', '127.0.0.1', '-p', `${port}`];
  return startEngine(need(natsServer, context), parameters);
}

/** redis-server, which appends what it does to a file. The context is that of the calling hook. */
export function startRedis(context: Context, ...more: readonly string[]): Promise<Engine> {
  const parameters: Parameters = (port, folder) => [
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes', ...more],
  ];
  return startEngine(need(redisServer, context), parameters);
}

export async function startEngine(path: string, parameters: Parameters): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'engine-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill(signal);
    // A process that is stopped gets no other signal.
    child.kill('SIGCONT');
    await closed;
  };
  const start = async () => {
    child = spawn(path, parameters(port, folder), { cwd: folder, stdio: 'ignore' });
    const running = child;
    while (!(await answers(port))) {
      if (running.exitCode !== null || running.signalCode !== null) throw new Error(`${path} has ended`);
      await delay(5);
    }
  };
  const dispose = async () => {
    await stop();
    await rm(folder, { recursive: true });
  };
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    child?.kill(name);
    // Its threads go on for a moment, and may still answer.
    while (name === 'SIGSTOP' && !isStopped(child?.pid));
  };
  const engine: Engine = { port, start, stop, dispose, signal };
  await start();
  return engine;
}

/** Whether all threads of the process are stopped. */
function isStopped(pid: number | undefined): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((task) => / [Tt] /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8').slice(0, 60)));
}

/** Whether the server is ready: both engines answer PING, NATS after it has greeted, Redis only when it has loaded its data. */
async function answers(port: number): Promise<boolean> {
  const socket = connectSocket(port, '127.0.0.1').setEncoding('latin1');
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    let answer = '';
    for await (const text of socket) {
      answer += text;
      if (answer.includes('PONG')) return true;
      if (answer.includes('LOADING')) return false;
    }
    return false;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
