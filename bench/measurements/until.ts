import { setTimeout as wait } from 'node:timers/promises';

const longest = 20_000;

/** Waits for what must come soon: at first, on a machine that has other things to do, nothing may come for a while. */
export async function until(happened: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + longest; !(await happened()); await wait(20))
    if (performance.now() > deadline) throw new Error('Nothing has come');
}
