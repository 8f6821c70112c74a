import { setImmediate as turn } from 'node:timers/promises';

/** What a library for sockets must not leave behind: each of these keeps a process alive. */
const watched = /^(TCPSocketWrap|TCPServerWrap|TLSWrap|PipeServerWrap|Timeout|Immediate|ProcessWrap)$/;

let before: string[] = [];

/** The resources that were not there before the first spec. Mocha's own timer, for the hook that asks, is there both times. */
function leftBehind(): string[] {
  const left = process.getActiveResourcesInfo().filter((name) => watched.test(name));
  for (const name of before) if (left.includes(name)) left.splice(left.indexOf(name), 1);
  return left;
}

/** Fails the whole run when the specs are over and a socket, a server, a timer or a child process is still there. */
export const mochaHooks = {
  async beforeAll(): Promise<void> {
    // The timer that Mocha has for this hook, as it has one for the other.
    await turn();
    before = process.getActiveResourcesInfo();
  },
  async afterAll(): Promise<void> {
    // Mocha makes its timer for this hook when the first turn begins; a timer that is left would be taken for it.
    await turn();
    // Sockets that are closing right now get some turns to do so.
    for (let i = 0; i < 50 && leftBehind().length > 0; i++) await turn();
    const left = leftBehind();
    if (left.length > 0) throw new Error(`The specs left behind: ${left.join(', ')}`);
  },
};
