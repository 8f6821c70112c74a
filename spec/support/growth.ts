/** The times as much work that are still taken for linear growth, when quadratic growth would be a hundred times as much. */
export const linear = 40;

/** More tries do not make the result smaller. */
const mostTries = 20;

/**
 * How many times as much CPU time ten times the size takes: about 10 if the work grows linearly, and 100 if it grows with the square. The
 * least time of several tries counts, so that it does not matter what else the machine does.
 * @param size the smaller of both sizes
 * @param prepare returns the work for a size; what this itself does is not measured
 */
export async function growth(size: number, prepare: (size: number) => () => unknown): Promise<number> {
  const [small, large] = [prepare(size), prepare(size * 10)];
  let [leastSmall, leastLarge] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let grown = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < mostTries && (tries < 3 || grown >= linear); tries++) {
    // The same amount of work if it is linear, so that both are measured alike.
    leastSmall = Math.min(leastSmall, await cpuTime(small, 10));
    leastLarge = Math.min(leastLarge, await cpuTime(large, 1));
    grown = (leastLarge / leastSmall) * 10;
  }
  return grown;
}

/** Microseconds of this process. */
async function cpuTime(work: () => unknown, times: number): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) {
    const result = work();
    if (result instanceof Promise) await result;
  }
  const { user, system } = process.cpuUsage(before);
  // A clock that has not moved would divide by 0.
  return Math.max(1, user + system);
}
