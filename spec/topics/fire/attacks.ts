import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import type { Arena } from './arena';

/** What happens to servers, the broker and connections while messages are published. After each, every client still gets all messages. */
export const attacks: Readonly<Record<string, (arena: Arena) => Promise<void>>> = {
  'kill a server (SIGKILL)': async ({ servers: [server] }) => {
    await server.end('SIGKILL');
  },
  'start it again': ({ servers: [server] }) => server.start(),
  'replace a server, as a deployment does (SIGTERM)': async ({ servers: [, server] }) => {
    expect(await server.end('SIGTERM')).to.equal(0);
    await server.start();
  },
  'restart the broker': async ({ engine }) => {
    await engine.stop();
    await engine.start();
  },
  'kill the broker (SIGKILL)': async ({ engine }) => {
    await engine.stop('SIGKILL');
    await engine.start();
  },
  'freeze a server (SIGSTOP)': async ({ servers: [server] }) => server.signal('SIGSTOP'),
  'let it go on (SIGCONT)': async ({ servers: [server] }) => server.signal('SIGCONT'),
  'cut connections in the middle of a frame': async ({ cutter, clients }) => {
    cutter.cutAfter(20);
    while (cutter.cuts < clients.length) await delay(5);
    cutter.cutAfter(Number.POSITIVE_INFINITY);
  },
};
