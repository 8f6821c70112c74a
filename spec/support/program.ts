import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The texts of files, by name. */
export type Files = Readonly<Record<string, string>>;

/** A program in a process of its own, whose working directory is a temporary folder with its files. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  #complaints = '';

  static async start([path = '', ...parameters]: readonly string[], files: Files): Promise<Program> {
    const folder = await mkdtemp(join(tmpdir(), 'server-'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), `${text.trim()}\n`);
    return new Program(spawn(path, parameters, { cwd: folder }), folder);
  }

  private constructor(child: ChildProcessWithoutNullStreams, folder: string) {
    this.child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text;
    });
    this.#ended = once(child, 'close').finally(() => rm(folder, { recursive: true }));
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** What is wrong with a program that ends of itself. */
  async failure(): Promise<Error> {
    await this.#ended;
    return new Error(`${this.child.spawnfile} has ended. It says: ${this.#complaints}`);
  }

  /** @throws Error if it has complained about anything */
  async stop(): Promise<void> {
    this.child.kill();
    await this.#ended;
    if (this.#complaints !== '') throw new Error(`${this.child.spawnfile} has complained: ${this.#complaints}`);
  }
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createSocketServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

/** Waits until the program accepts connections. It does not tell; a connection does. */
export async function accepting(port: number, program: Program): Promise<void> {
  while (!(await accepts(port))) {
    if (program.hasExited) throw await program.failure();
    await delay(5);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connectSocket(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
