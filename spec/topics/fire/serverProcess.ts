import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort } from '../../support/program';
import type { EngineName } from './drivers';

/** A server of topics in a process of its own, whose port stays the same. */
export class ServerProcess {
  readonly port: number;
  readonly #engine: EngineName;
  readonly #enginePort: number;
  #child: ChildProcess | undefined;

  private constructor(engine: EngineName, enginePort: number, port: number) {
    this.#engine = engine;
    this.#enginePort = enginePort;
    this.port = port;
  }

  static async start(engine: EngineName, enginePort: number): Promise<ServerProcess> {
    const server = new ServerProcess(engine, enginePort, await freePort());
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const file = join(__dirname, 'server.ts');
    const parameters = [this.#engine, `${this.#enginePort}`, `${this.port}`];
    const child = spawn(process.execPath, ['--import', 'tsx', file, ...parameters], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
    if (`${first}`.trim() !== 'ready') throw new Error(`a server has ended: ${first}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it, and resolves with its exit code; null after SIGKILL. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const closed = once(child, 'close');
    child.kill(signal);
    const [code] = await closed;
    return code as number | null;
  }
}
