import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** What is measured has one core, what it talks to another. */
export type Core = 'measured' | 'other';
const coreNumbers = { measured: 0, other: 1 } as const;

const bun = join(__dirname, 'node_modules', '.bin', 'bun');

export const pinned = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;

interface Reply {
  readonly answer?: unknown;
  readonly failure?: string;
}

export interface ProcessOptions {
  readonly core: Core;
  /** A file of this folder. */
  readonly file: string;
  readonly settings?: object;
  /** What runs it, if that is not Node. */
  readonly runtime?: 'bun' | undefined;
  /** A folder for a profile of its CPU time. */
  readonly profile?: string | undefined;
  /** The `dist` folder of the build of this library that it uses, if that is not the one of this folder. */
  readonly build?: string | undefined;
}

/** A process of the bench, which answers questions one at a time. */
export class BenchProcess {
  readonly #file: string;
  readonly #process: ChildProcess;
  #failure: Error | undefined;

  private constructor(file: string, child: ChildProcess) {
    this.#file = file;
    this.#process = child;
    child.on('message', ({ failure }: Reply) => {
      if (failure !== undefined) this.#failure ??= new Error(`${file}: ${failure}`);
    });
    child.on('exit', () => {
      this.#failure ??= new Error(`${file}: it has exited`);
    });
  }

  /** @returns the process, and what it says first */
  static async start<T>({ core, file, settings, runtime, profile, build }: ProcessOptions): Promise<[BenchProcess, T]> {
    const compiler = file.endsWith('.ts') ? ['--require', 'ts-node/register'] : [];
    const profiler = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
    const parameters = settings === undefined ? [] : [JSON.stringify(settings)];
    const runner = runtime === 'bun' ? [bun] : [process.execPath, '--expose-gc', ...profiler, ...compiler];
    const program = [...runner, join(__dirname, file), ...parameters];
    const [command, ...rest] = pinned ? ['taskset', '--cpu-list', String(coreNumbers[core]), ...program] : program;
    const env = build === undefined ? process.env : { ...process.env, BENCH_BUILD: build };
    const child = spawn(command as string, rest, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const started = new BenchProcess(file, child);
    return [started, await started.#receive<T>()];
  }

  async ask<T>(question: unknown): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#process.send(question as object);
    return this.#receive<T>();
  }

  /** Waits for what it says without being asked. */
  async next<T>(): Promise<T> {
    return this.#receive<T>();
  }

  /** Rejects when it has failed, or has exited without being told to. */
  async failed(): Promise<never> {
    await once(this.#process, 'exit');
    throw this.#failure ?? new Error(`${this.#file}: it has exited`);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    await exited;
  }

  async #receive<T>(): Promise<T> {
    const child = this.#process;
    return new Promise<T>((resolve, reject) => {
      const settle = () => {
        child.removeListener('message', onMessage);
        child.removeListener('exit', onExit);
      };
      const onMessage = ({ answer, failure }: Reply) => {
        settle();
        if (failure === undefined) resolve(answer as T);
        else reject(new Error(`${this.#file}: ${failure}`));
      };
      const onExit = () => {
        settle();
        reject(this.#failure ?? new Error(`${this.#file}: it has exited`));
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
    });
  }
}
