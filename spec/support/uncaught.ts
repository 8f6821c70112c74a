/** Takes what is thrown in place of Mocha, as a program with an 'uncaughtException' handler does. */
export async function catching(work: () => Promise<void>): Promise<unknown[]> {
  const caught: unknown[] = [];
  const before = process.listeners('uncaughtException');
  const note = (error: unknown) => void caught.push(error);
  process.removeAllListeners('uncaughtException').on('uncaughtException', note);
  try {
    await work();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  return caught;
}
