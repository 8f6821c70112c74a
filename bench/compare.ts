import type { ContenderName } from './contenders';
import { measurements } from './measurements';
import type { Load } from './measurements/load';
import type { Figures, Runner, Scenario, Settings } from './scenario';

/** The figures of every round, of every contender. */
export type Rounds = Partial<Record<ContenderName, Figures[]>>;

/** Measures all contenders of a scenario, in turns. */
export async function compare(scenario: Scenario, settings: Settings, load: Load): Promise<Rounds> {
  const rounds: Rounds = {};
  const runners: [ContenderName, Runner][] = [];
  let current: ContenderName | undefined;
  try {
    for (const contender of scenario.contenders) {
      current = contender;
      const runner = await measurements[scenario.measures](contender, scenario, settings, load);
      runners.push([contender, runner]);
      await runner.warmUp();
    }
    const count = Math.min(settings.rounds, scenario.rounds ?? settings.rounds);
    for (let round = 0; round < count; round++) {
      // Nobody is always the first, or always behind the same other one.
      const order = round % 2 === 0 ? runners : [...runners].reverse();
      for (const [contender, runner] of order) {
        current = contender;
        rounds[contender] ??= [];
        rounds[contender].push(await runner.measure());
      }
    }
  } catch (cause) {
    const where = `${scenario.section}: ${scenario.name}: ${current}`;
    throw new Error(`${where}: ${(cause as Error).message}`, { cause });
  } finally {
    for (const [, runner] of runners) await runner.stop();
  }
  return rounds;
}
