import { setTimeout as wait } from 'node:timers/promises';
import { buildOf } from '../builds';
import type { ContenderName } from '../contenders';
import { BenchProcess } from '../processes';
import type { Figures, Runner, Scenario, Settings } from '../scenario';
import { Server } from './server';
import { until } from './until';

interface Usage {
  readonly cpu: number;
  readonly done: number;
}

/** What a client takes for an echo, or for a connection that it opens and drops. The server, on the other core, is ours for all. */
export async function prepareClients(
  contender: ContenderName,
  { measures, work }: Scenario,
  settings: Settings,
): Promise<Runner> {
  const server = await Server.startForClients(contender === 'faulty' ? 'faulty' : 'ours', work);
  const { port } = server.address;
  const library = contender === 'ws' ? 'ws' : 'ours';
  const [client] = await BenchProcess.start({
    core: 'measured',
    file: 'clients/client.js',
    settings: { library, work, port },
    profile: settings.profile,
    build: buildOf(contender, settings),
  });
  const begin = measures === 'opening' ? 'openAndDrop' : 'sendEchoes';

  async function run(milliseconds: number): Promise<void> {
    await client.ask(begin);
    await wait(milliseconds);
  }

  return {
    async warmUp() {
      await run(settings.warmUp);
      await client.ask('stop');
    },
    async measure(): Promise<Figures> {
      const { done: earlier } = await client.ask<Usage>('usage');
      await run(settings.settling);
      await until(async () => (await client.ask<Usage>('usage')).done > earlier);
      const before = await client.ask<Usage>('usage');
      const started = performance.now();
      await wait(settings.measured);
      await until(async () => (await client.ask<Usage>('usage')).done > before.done);
      const after = await client.ask<Usage>('usage');
      const seconds = (performance.now() - started) / 1000;
      await client.ask('stop');
      const done = after.done - before.done;
      return { cpu: (after.cpu - before.cpu) / done, throughput: done / seconds };
    },
    async stop() {
      await client.stop();
      await server.stop();
    },
  };
}
