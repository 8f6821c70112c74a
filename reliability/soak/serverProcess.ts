import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Measured, Question } from './server';

/** The process of the server that is soaked. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  #port = 0;
  #asked = 0;
  readonly #waiting = new Map<number, (answer: unknown) => void>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ port, id, answer }: { port?: number; id?: number; answer?: unknown }) => {
      if (port !== undefined) this.#port = port;
      if (id === undefined) return;
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  static async start(): Promise<ServerProcess> {
    const child = fork(join(__dirname, 'server.ts'), { execArgv: ['--require', 'ts-node/register'] });
    const process = new ServerProcess(child);
    await once(child, 'message');
    return process;
  }

  /** The port of the newest generation. */
  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  ask<T>(question: Question): Promise<T> {
    const id = ++this.#asked;
    const answer = new Promise<T>((resolve) => this.#waiting.set(id, resolve as (answer: unknown) => void));
    this.#child.send({ id, question });
    return answer;
  }

  measure(): Promise<Measured> {
    return this.ask<Measured>('measure');
  }

  /** Waits until so many connections are open, or fewer. */
  async settle(connections: number): Promise<Measured> {
    for (;;) {
      const measured = await this.measure();
      if (measured.connections <= connections) return measured;
      await new Promise<void>((resolve) => void setTimeout(resolve, 200));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
