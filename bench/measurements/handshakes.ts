import type { ContenderName } from '../contenders';
import type { Figures, Runner, Scenario, Settings } from '../scenario';
import type { Load } from './load';
import { Server } from './server';

/** What a server takes to open a connection, to open one and close it again, or to serve one that is soon gone. */
export async function prepareHandshakes(
  contender: ContenderName,
  { measures, work }: Scenario,
  settings: Settings,
  load: Load,
): Promise<Runner> {
  const server = await Server.start(contender, work, settings);
  const { connections } = work;

  /** Only the opening of many is within the measurement: what comes of them afterwards is another matter. */
  async function open(): Promise<number> {
    const before = await server.cpu();
    await load.ask('open', server.address, work);
    const used = (await server.cpu()) - before;
    await load.ask('close');
    return used;
  }

  async function openAndClose(): Promise<number> {
    const before = await server.cpu();
    await load.ask('openAndClose', server.address, connections);
    return (await server.cpu()) - before;
  }

  async function echoAndLeave(): Promise<number> {
    const before = await server.cpu();
    await load.ask('echoAndLeave', server.address, work);
    return (await server.cpu()) - before;
  }

  const runs = { handshakes: open, openAndClose, shortLived: echoAndLeave };
  const run = runs[measures as keyof typeof runs];
  return {
    async warmUp() {
      // A handshake is much code, run once: it takes some thousands until the compiler is done with it.
      for (let i = 0; i < 4; i++) await run();
    },
    async measure(): Promise<Figures> {
      // While the others are measured, the engine lets go of some of what it has compiled.
      await run();
      const cpu = (await run()) / connections;
      return { cpu, perCpuSecond: 1_000_000 / cpu };
    },
    stop: () => server.stop(),
  };
}
