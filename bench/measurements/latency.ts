import type { ContenderName } from '../contenders';
import type { Figures, Runner, Scenario, Settings } from '../scenario';
import type { Load } from './load';
import { Server } from './server';
import { prepareUnderLoad } from './underLoad';

/** Of what ws can do: the same for all, for a fast server that is given more to do has not become slow. */
const part = 0.5;
const yardstick = 'ws';

/**
 * How much longer it is measured than other things: a stop of the machine, which takes some tens of milliseconds, must not be
 * a hundredth of the time.
 */
const longer = 8;

/** Messages per second, found once for all contenders of a scenario. */
const rates = new WeakMap<Scenario, number>();

async function rateFor(scenario: Scenario, settings: Settings, load: Load): Promise<number> {
  const known = rates.get(scenario);
  if (known !== undefined) return known;
  const runner = await prepareUnderLoad(yardstick, scenario, { ...settings, profile: undefined }, load);
  try {
    await runner.warmUp();
    const { throughput = 0 } = await runner.measure();
    rates.set(scenario, throughput * part);
    return throughput * part;
  } finally {
    await runner.stop();
  }
}

/** How long an echo takes, and how long a server stands still for its garbage, at a load that it can bear. */
export async function prepareLatency(
  contender: ContenderName,
  scenario: Scenario,
  settings: Settings,
  load: Load,
): Promise<Runner> {
  const { work } = scenario;
  const server = await Server.start(contender, work, settings);
  await server.observePauses();
  let perSecond = 0;

  async function run(milliseconds: number) {
    await load.ask('open', server.address, work);
    await load.ask('measureLatencies', perSecond, settings.settling);
    await server.pauses();
    const latencies = await load.ask('measureLatencies', perSecond, milliseconds);
    const pauses = await server.pauses();
    await load.ask('close');
    return { ...latencies, pauses };
  }

  return {
    async warmUp() {
      perSecond = await rateFor(scenario, settings, load);
      await run(settings.warmUp);
    },
    async measure(): Promise<Figures> {
      const milliseconds = longer * settings.measured;
      const { pauses, ...latencies } = await run(milliseconds);
      const stopped = pauses.reduce((sum, pause) => sum + pause, 0);
      const messages = (perSecond * milliseconds) / 1000;
      return { ...latencies, longestPause: Math.max(0, ...pauses), pausesPerMessage: (stopped * 1000) / messages };
    },
    stop: () => server.stop(),
  };
}
