import { buildOf } from '../builds';
import { type ContenderName, contenders } from '../contenders';
import { BenchProcess } from '../processes';
import type { Figures, Runner, Scenario, Settings } from '../scenario';

const mebibyte = 2 ** 20;
/** Where a peer that keeps the message is stopped, before it takes the machine along: it counts as having taken this. */
const mostGrowth = 1024 * mebibyte;

interface Growth {
  readonly growth: number;
  readonly slowestPing: number;
}

/** By how much the resident memory of either end grows over the echo of one message that is larger than any buffer. */
export async function prepareLarge(contender: ContenderName, { work }: Scenario, settings: Settings): Promise<Runner> {
  const file = 'clients/largePeer.js';
  const common = { library: contenders[contender].library, size: work.size, mostGrowth };
  const options = { file, build: buildOf(contender, settings) };

  async function echo(server: BenchProcess, client: BenchProcess): Promise<Figures> {
    await server.ask('start');
    const started = performance.now();
    const ofClient = await client.ask<Growth>('echo');
    const seconds = (performance.now() - started) / 1000;
    const ofServer = await server.ask<Growth>('growth');
    const { slowestPing } = ofClient;
    return { server: ofServer.growth / mebibyte, client: ofClient.growth / mebibyte, seconds, slowestPing };
  }

  return {
    async warmUp() {},
    async measure(): Promise<Figures> {
      const { profile } = settings;
      const ofServer = { ...common, role: 'server' };
      const [server, port] = await BenchProcess.start<number>({
        ...options,
        core: 'measured',
        settings: ofServer,
        profile,
      });
      const ofClient = { ...common, role: 'client', port };
      const [client] = await BenchProcess.start({ ...options, core: 'other', settings: ofClient });
      try {
        return await Promise.race([echo(server, client), server.failed(), client.failed()]);
      } catch (error) {
        if (!(error as Error).message.includes('more than')) throw error;
        return { server: mostGrowth / mebibyte, client: mostGrowth / mebibyte };
      } finally {
        await Promise.all([server.stop(), client.stop()]);
      }
    },
    async stop() {},
  };
}
