import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A demo that runs in a process of its own. */
export interface RunningDemo {
  readonly port: number;
  httpUrl(path: string): string;
  webSocketUrl(path: string): string;
  /** Ends the process with a signal, SIGTERM by default. @returns its exit code and the signal that has killed it */
  stop(signal?: NodeJS.Signals): Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
}

/**
 * Starts a demo as its reader would, by its file name, on a port that is free.
 * @throws Error with what the demo said, if it ends instead of serving
 */
export async function runDemo(file: string, port = 0): Promise<RunningDemo> {
  const child = spawn(process.execPath, ['--import', 'tsx', join('demo', file)], {
    cwd: join(__dirname, '..', '..'),
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });

  const url = await new Promise<string>((resolve, reject) => {
    // The lines that come after the first are read as well, for a full pipe would stop the demo.
    createInterface(child.stdout).on('line', (line) => {
      const address = /^Server running at (\S+)$/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
    closed.then(([code]) => reject(new Error(`${file} ended with code ${code}: ${complaints}`)), reject);
  });

  return {
    port: Number(new URL(url).port),
    httpUrl: (path) => new URL(path, url).href,
    webSocketUrl: (path) => new URL(path, url.replace(/^http/, 'ws')).href,
    async stop(signal) {
      child.kill(signal);
      const [code, killedBy] = await closed;
      return [code, killedBy];
    },
  };
}
