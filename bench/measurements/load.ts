import type { LoadTasks } from '../load/load';
import { BenchProcess } from '../processes';

type Answer<Name extends keyof LoadTasks> = Awaited<ReturnType<LoadTasks[Name]>>;

/** The one load generator, for all that is measured. It is started when it is needed, and anew when it has failed. */
export class Load {
  #process: Promise<[BenchProcess, unknown]> | undefined;

  async ask<Name extends keyof LoadTasks>(
    task: Name,
    ...parameters: Parameters<LoadTasks[Name]>
  ): Promise<Answer<Name>> {
    this.#process ??= BenchProcess.start({ core: 'other', file: 'load/load.ts' });
    try {
      const [process] = await this.#process;
      return await process.ask<Answer<Name>>({ task, parameters });
    } catch (error) {
      this.#process = undefined;
      throw error;
    }
  }

  async stop(): Promise<void> {
    const [process] = (await this.#process) ?? [];
    await process?.stop();
  }
}
