import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pinned } from '../processes';

/**
 * Starts a server on the measured core.
 * @param kind a kind of `server.js`
 * @param enginePort the port of the engine of its broker; 0 if it has none
 * @returns the process, and its port
 */
export async function startServer(kind: string, enginePort: number): Promise<[ChildProcess, number]> {
  const node = [process.execPath, join(__dirname, 'server.js'), kind, `${enginePort}`];
  const [command = '', ...parameters] = pinned ? ['taskset', '--cpu-list', '0', ...node] : node;
  const child = spawn(command, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [listening] = await once(child, 'message');
  return [child, listening as number];
}

/**
 * Asks a server for a figure, one at a time.
 * @param figure `'cpu'`: its CPU time in microseconds. `'catchingUp'`: the number of members that have fallen behind
 */
export async function ask(server: ChildProcess, figure: 'cpu' | 'catchingUp'): Promise<number> {
  const answer = once(server, 'message');
  server.send(figure);
  return (await answer)[0] as number;
}

export async function endServer(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  server.disconnect();
  await ended;
}
