import { connect, createServer } from 'node:net';

/** A file for Mocha with one spec, which leaves behind what the variable LEAVE names: `leaks.spec.ts` runs it. */
const things: Readonly<Record<string, () => unknown>> = {
  nothing: () => {},
  'a timer': () => setTimeout(() => {}, 60_000),
  'a server': () => createServer().listen(0, '127.0.0.1'),
  'a socket'() {
    const server = createServer((socket) => socket.unref()).unref();
    return new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', () => connect(server.address() as { port: number }, resolve));
    });
  },
};

const { LEAVE = '' } = process.env;

it('leaves something behind', async () => {
  await things[LEAVE]?.();
});
