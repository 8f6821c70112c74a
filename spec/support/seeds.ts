import { Dice } from './vectors';

const { SEED, SEEDS, CI } = process.env;

/**
 * The seeds that a property is checked with: the one that the variable SEED names, or as many as SEEDS says.
 * @param usual how many without either variable
 * @param thorough how many where everything must be tested (the variable CI is set)
 */
export function seeds(usual: number, thorough: number): readonly number[] {
  if (SEED !== undefined) return [Number(SEED)];
  const count = SEEDS === undefined ? (CI ? thorough : usual) : Number(SEEDS);
  return Array.from({ length: count }, (_, i) => i + 1);
}

/**
 * Checks a property with each seed. When it fails, the error says with which. All that is random must come from the dice: what
 * Math.random() has drawn cannot be drawn again, and nobody would see the failure a second time.
 * @param atOnce how many seeds are checked at the same time. Default 1: what happens beside it may change the order of events,
 *   and with it whether a seed fails
 */
export async function checkSeeds(
  list: readonly number[],
  check: (dice: Dice) => Promise<void>,
  { atOnce = 1 } = {},
): Promise<void> {
  const failures: Error[] = [];
  const rest = list.values();
  const checkSome = async () => {
    for (const seed of rest) {
      await check(new Dice(seed)).catch((cause: Error) => {
        failures.push(new Error(`With SEED=${seed}: ${cause.message}`, { cause }));
      });
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, checkSome));
  if (failures.length > 0) throw failures[0];
}

/** Dice of their own for one of several that roll at the same time: what the others roll, and when, must not matter to it. */
export function fork(dice: Dice): Dice {
  return new Dice(dice.roll(2 ** 31));
}
