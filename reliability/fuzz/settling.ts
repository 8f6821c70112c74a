import { writeFileSync } from 'node:fs';

type Fuzz = (data: Buffer) => Promise<void>;

/**
 * A target that waits: when nothing is left that could wake it, Node ends the process, without an error. This makes that a finding. The file is
 * written to the current folder, which is that of the target.
 */
export function settling(fuzz: Fuzz): Fuzz {
  let running: Buffer | undefined;
  process.once('exit', () => {
    if (running === undefined) return;
    const file = `hang-${process.pid}`;
    writeFileSync(file, running);
    console.error(`a run has never ended: ${file}, base64 ${running.toString('base64')}`);
    process.exitCode = 1;
  });
  return async (data) => {
    running = Buffer.from(data);
    await fuzz(data);
    running = undefined;
  };
}
