/** How many times as large the larger size is. */
const factor = 1000;

/**
 * The times as much work that are still taken for linear growth. It is `factor`, and up to thirty times of that when the collection of
 * garbage takes long; with the square it is a million.
 */
export const linear = 100_000;

/** Microseconds that the smaller size is repeated for, at the least: it is compiled by then, as the larger one is while it runs. */
const leastTime = 5000;

/** Calls between two looks at the clock. */
const repetitions = 100;

/** More tries do not make the result smaller. */
const mostTries = 20;

/**
 * How many times as much CPU time a thousand times the size takes: about 1,000 if the work grows linearly, and a million if it grows with the
 * square. The least time of several tries counts, so that it does not matter what else the machine does.
 * @param size the larger of both sizes
 * @param prepare returns the work for a size; what this itself does is not measured
 */
export async function growth(size: number, prepare: (size: number) => () => unknown): Promise<number> {
  const [small, large] = [prepare(size / factor), prepare(size)];
  let [leastSmall, leastLarge] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let grown = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < mostTries && (tries < 3 || grown >= linear); tries++) {
    leastSmall = Math.min(leastSmall, await cpuTime(small, repetitions, leastTime));
    leastLarge = Math.min(leastLarge, await cpuTime(large, 1, 0));
    grown = leastLarge / leastSmall;
  }
  return grown;
}

/** Microseconds of this process per call. */
async function cpuTime(work: () => unknown, times: number, least: number): Promise<number> {
  const before = process.cpuUsage();
  for (let calls = times; ; calls += times) {
    for (let i = 0; i < times; i++) {
      const result = work();
      if (result instanceof Promise) await result;
    }
    const { user, system } = process.cpuUsage(before);
    // A clock that has not moved would divide by 0.
    if (user + system >= least) return Math.max(1, user + system) / calls;
  }
}
