import { setTimeout as wait } from 'node:timers/promises';
import type { ContenderName } from '../contenders';
import type { Figures, Runner, Scenario, Settings } from '../scenario';
import type { Load } from './load';
import { Server } from './server';
import { until } from './until';

/** What a server takes for a message, while it has as many to do as it can. */
export async function prepareUnderLoad(
  contender: ContenderName,
  { measures, work }: Scenario,
  settings: Settings,
  load: Load,
): Promise<Runner> {
  const server = await Server.start(contender, work, settings);
  const send = measures === 'broadcast' ? 'sendBroadcasts' : 'sendEchoes';

  async function begin(): Promise<void> {
    await load.ask('open', server.address, work);
    await load.ask(send, work);
  }

  async function sample(): Promise<{ cpu: number; time: number; messages: number; bytes: number }> {
    const [cpu, count] = await Promise.all([server.cpu(), load.ask('count')]);
    return { cpu, time: performance.now(), ...count };
  }

  return {
    async warmUp() {
      await begin();
      await wait(settings.warmUp);
      await load.ask('close');
    },
    async measure(): Promise<Figures> {
      await begin();
      await wait(settings.settling);
      await until(async () => (await load.ask('count')).messages > 0);
      const before = await sample();
      await wait(settings.measured);
      await until(async () => (await load.ask('count')).messages > before.messages);
      const after = await sample();
      await load.ask('close');
      const messages = after.messages - before.messages;
      return {
        cpu: (after.cpu - before.cpu) / messages,
        throughput: (messages * 1000) / (after.time - before.time),
        wire: (after.bytes - before.bytes) / messages,
      };
    },
    stop: () => server.stop(),
  };
}
