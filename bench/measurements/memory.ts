import { setTimeout as wait } from 'node:timers/promises';
import type { ContenderName } from '../contenders';
import type { Figures, Runner, Scenario, Settings } from '../scenario';
import type { Load } from './load';
import { Server } from './server';

/**
 * Memory that a connection keeps which has had one exchange, and then silence. In a fresh process every time: no process gives back all
 * that it had.
 */
export async function prepareMemory(
  contender: ContenderName,
  { work }: Scenario,
  settings: Settings,
  load: Load,
): Promise<Runner> {
  async function exchange(server: Server, connections: number): Promise<void> {
    await load.ask('open', server.address, { ...work, connections });
    await load.ask('echoOnce');
  }

  return {
    async warmUp() {},
    async measure(): Promise<Figures> {
      const server = await Server.start(contender, work, settings);
      try {
        // What the first connections load, compile and cache is not theirs.
        await exchange(server, Math.min(work.connections, 200));
        await load.ask('close');
        await wait(settings.settling);
        const before = await server.memory();
        await exchange(server, work.connections);
        await wait(work.deflate ? settings.silence : settings.settling);
        const after = await server.memory();
        await load.ask('close');
        const each = (figure: 'resident' | 'heap') => (after[figure] - before[figure]) / work.connections / 1024;
        return { resident: each('resident'), heap: each('heap') };
      } finally {
        await server.stop();
      }
    },
    async stop() {},
  };
}
