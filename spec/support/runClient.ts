import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Context } from 'mocha';

const root = join(__dirname, '..', '..');

/** The programs that have not ended. */
const running = new Map<ChildProcess, Promise<Ending>>();

/** Kills what has not ended, with all that it has started. A spec that runs programs has this for its `afterEach()`. */
export async function stopPrograms(): Promise<void> {
  for (const { pid } of running.keys()) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  await Promise.all(running.values());
}

/** The command-line client, as it is installed. */
export const client = [process.execPath, join('dist', 'demo', 'client.js')] as const;

/** A hook for Mocha that compiles it. That is done once: to compile it for each of its many starts would take a second each. */
export function buildClient(this: Context): void {
  // On a busy machine the compiler takes longer than a spec may.
  this.timeout(0);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root });
}

export interface Surroundings {
  /** Beside the variables of this process, or in their place. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The working directory. Default: that of the library. */
  readonly cwd?: string;
}

/** How a program has ended, and all that it has printed. */
export interface Ending {
  readonly code: number | null;
  readonly output: string;
  readonly complaints: string;
}

/** A program that a spec talks to. */
export interface RunningProgram {
  readonly input: Writable;
  /** What it has printed on its standard output so far. */
  readonly output: Buffer;
  /** What it has printed on its standard error so far. */
  readonly complaints: string;
  readonly ending: Promise<Ending>;
  /**
   * Waits until what it has printed satisfies the condition.
   * @throws Error with all that it has printed, if it ends without that
   */
  until(condition: (program: RunningProgram) => boolean): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export function runClient(parameters: readonly string[], surroundings?: Surroundings): RunningProgram {
  return run([...client, ...parameters], surroundings);
}

export function runClientInTerminal(
  python: string,
  parameters: readonly string[],
  surroundings?: Surroundings,
): RunningProgram {
  return runInTerminal(python, [...client, ...parameters], surroundings);
}

/** Runs a program on a terminal with colours: what is typed is its input, and all that the terminal shows its output. */
export function runInTerminal(
  python: string,
  command: readonly string[],
  { env, ...surroundings }: Surroundings = {},
): RunningProgram {
  // Node does not trust the terminals of continuous integration with colours.
  const colourful = { TERM: 'xterm-256color', NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined, ...env };
  return run([python, join(__dirname, 'terminal.py'), ...command], { env: colourful, ...surroundings });
}

export function run(command: readonly string[], { env, cwd = root }: Surroundings = {}): RunningProgram {
  const [file = '', ...parameters] = command;
  // In a process group of its own, which can be killed as a whole.
  const child = spawn(file, parameters, { cwd, env: { ...process.env, ...env }, detached: true });
  const output: Buffer[] = [];
  let complaints = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output.push(bytes);
    child.emit('news');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
    child.emit('news');
  });
  // It may end before it has read all that is written to it.
  child.stdin.on('error', () => {});
  const ending = once(child, 'close').then(([code]): Ending => {
    running.delete(child);
    child.emit('news');
    return { code, output: program.output.toString(), complaints };
  });
  const program: RunningProgram = {
    input: child.stdin,
    get output() {
      return Buffer.concat(output);
    },
    get complaints() {
      return complaints;
    },
    ending,
    async until(condition) {
      while (!condition(program)) {
        if (!running.has(child)) throw new Error(`It has ended. It printed: ${program.output}${complaints}`);
        await once(child, 'news');
      }
    },
    kill: (signal) => void child.kill(signal),
  };
  running.set(child, ending);
  return program;
}
