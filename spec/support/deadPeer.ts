/**
 * Runs in a network namespace of its own: a server and a client of ours, whose packets vanish at some point without a word. It
 * prints what both of them make of it, and ends when both are done. The time of heartbeats is mocked: how busy the machine is
 * does not matter.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mock } from 'node:test';
import { configureServer, connect, type WebSocket, type WebSocketError } from '../../lib/webSocketHandler';
import { passUntil } from './mockedTime';

const { heartbeat, outage } = JSON.parse(process.argv[2] as string) as {
  heartbeat: { interval: number; timeout: number };
  /** Milliseconds until the packets travel again; absent for never. */
  outage?: number;
};

const link = (state: 'up' | 'down') => execFileSync('ip', ['link', 'set', 'lo', state]);

/** The error with which a WebSocket ends. */
async function failureOf(ws: WebSocket): Promise<WebSocketError> {
  const [error] = await once(ws, 'error').catch((cause) => [cause]);
  return error;
}

async function main(): Promise<void> {
  mock.timers.enable({ apis: ['setInterval'] });
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

  link('down');
  if (outage === undefined) {
    const failures = Promise.all([failureOf(ofServer), failureOf(client)]);
    const after = await passUntil(failures, 20);
    console.log(JSON.stringify((await failures).map(({ code, closeCode }) => ({ code, closeCode, after }))));
  } else {
    mock.timers.tick(outage);
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
