import { relative } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { takeCoverage } from 'node:v8';
import type { Context } from 'mocha';

/** What a library for sockets must not leave behind: each of these keeps a process alive. */
const watched = /^(TCPSocketWrap|TCPServerWrap|TLSWrap|PipeServerWrap|Timeout|Immediate|ProcessWrap)$/;

/** Whether this process measures coverage. The programs that specs start must not: they would take long, and tell nothing of `lib/`. */
const measuresCoverage = process.env['NODE_V8_COVERAGE'] !== undefined;
// With --parallel, Mocha starts the workers from another process, and they need it. Other programs compile `lib/` in another way, and what
// they cover would be counted for other lines.
if (process.send !== undefined || !process.argv.includes('--parallel')) delete process.env['NODE_V8_COVERAGE'];

let before: string[] = [];

/** The resources that were not there before the first spec of this run. Mocha's own timer for the running hook is there both times. */
function leftBehind(): string[] {
  const left = process.getActiveResourcesInfo().filter((name) => watched.test(name));
  for (const name of before) if (left.includes(name)) left.splice(left.indexOf(name), 1);
  return left;
}

/** @returns the paths of the files whose specs have run */
function filesOf({ test }: Context): string {
  const { suites = [], tests = [] } = test?.parent ?? {};
  const files = new Set([...suites, ...tests].map(({ file = '' }) => relative('', file)));
  return files.size === 1 ? [...files].join() : `one of ${files.size} files: run each of them alone, or --parallel`;
}

/**
 * Fails the run if a socket, a server, a timer or a child process is still there after the last spec. With `--parallel`, Mocha calls these
 * hooks around each file, so that the failure also tells which file has left it behind.
 */
export const mochaHooks = {
  async beforeAll(): Promise<void> {
    // The timer that Mocha has for this hook, as it has one for the other.
    await turn();
    before = process.getActiveResourcesInfo();
  },
  async afterAll(this: Context): Promise<void> {
    // Mocha ends the workers of a parallel run before they write what they have covered.
    if (measuresCoverage) takeCoverage();
    // Mocha makes its timer for this hook when the first turn begins; a timer that is left would be taken for it.
    await turn();
    // Sockets that are closing right now get some turns to do so.
    for (let i = 0; i < 50 && leftBehind().length > 0; i++) await turn();
    const left = leftBehind();
    if (left.length > 0) throw new Error(`The specs left behind: ${left.join(', ')} (${filesOf(this)})`);
  },
};
