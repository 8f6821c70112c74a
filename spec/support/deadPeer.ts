/**
 * Runs in a network namespace of its own: a server and a client of ours, whose packets vanish at some point without a word. It
 * prints what both of them make of it, and ends when both are done.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { configureServer, connect, type WebSocket } from '../../lib/webSocketHandler';

const { heartbeat, outage } = JSON.parse(process.argv[2] as string) as {
  heartbeat: { interval: number; timeout: number };
  /** Milliseconds until the packets travel again; absent for never. */
  outage?: number;
};

const link = (state: 'up' | 'down') => execFileSync('ip', ['link', 'set', 'lo', state]);

/** The error with which a WebSocket ends, and when. */
async function fate(ws: WebSocket): Promise<{ code: string; closeCode: number; at: number }> {
  const [error] = await once(ws, 'error').catch((cause) => [cause]);
  const at = performance.now();
  return { code: error.code, closeCode: (await ws.whenClosed()).code, at };
}

async function main(): Promise<void> {
  link('up');
  const server = createServer((_request, response) => {
    const ws = response.webSocket?.connect() as WebSocket;
    ws.pipe(ws);
    server.emit('accepted', ws);
  });
  configureServer(server, { heartbeat });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(server, 'accepted');
  const client = connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, { heartbeat });
  const [ofServer] = (await accepted) as [WebSocket];
  client.write('hello');
  await once(client, 'data');

  const gone = performance.now();
  link('down');
  if (outage === undefined) {
    const fates = await Promise.all([fate(ofServer), fate(client)]);
    console.log(JSON.stringify(fates.map(({ at, ...rest }) => ({ ...rest, after: at - gone }))));
  } else {
    // Time is what this is about.
    await wait(outage);
    link('up');
    client.write('still there?');
    const [echo] = await once(client, 'data');
    client.end();
    const outcomes = await Promise.all([ofServer.whenClosed(), client.whenClosed()]);
    console.log(JSON.stringify({ echo, clean: outcomes.map(({ wasClean }) => wasClean) }));
  }
  // Nothing is left that would keep the process alive.
  server.close();
}

main();
