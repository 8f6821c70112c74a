import { Dice } from './vectors';

const { SEED, SEEDS } = process.env;

/**
 * The seeds that a property is checked with: the one that the variable SEED names, or as many as SEEDS says.
 * @param usual how many without either variable, in `npm test`
 * @param thorough how many with SEEDS=all, in `npm run test:all`
 */
export function seeds(usual: number, thorough: number): readonly number[] {
  if (SEED !== undefined) return [Number(SEED)];
  const count = SEEDS === undefined ? usual : SEEDS === 'all' ? thorough : Number(SEEDS);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new Error(`SEEDS must be a number of seeds from 1 on, or all, not ${SEEDS}`);
  return Array.from({ length: count }, (_, i) => i + 1);
}

/**
 * Checks a property with each seed, one after the other. When it fails, the error says with which. All that is random must come
 * from the dice: what Math.random() has drawn cannot be drawn again, and nobody would see the failure a second time.
 */
export async function checkSeeds(list: readonly number[], check: (dice: Dice) => Promise<void>): Promise<void> {
  for (const seed of list) {
    await check(new Dice(seed)).catch((cause: Error) => {
      throw new Error(`With SEED=${seed}: ${cause.message}`, { cause });
    });
  }
}

/** Dice of their own for one of several that roll at the same time: what the others roll, and when, must not matter to it. */
export function fork(dice: Dice): Dice {
  return new Dice(dice.roll(2 ** 31));
}
