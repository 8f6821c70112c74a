import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { configureServer, reconnecting, WebSocketError } from '../lib/webSocketHandler';

/** An event with its number in the log. */
export interface Entry {
  readonly number: number;
  readonly text: string;
}

/**
 * Returns a server that sends each client the entries after the last one that it has, over connections that break often.
 * @param breaks returns whether the connection breaks before this entry
 */
export function createLogServer(log: readonly Entry[], breaks: (entry: Entry) => boolean): Server {
  const server = createServer((request, response) => {
    const ws = response.webSocket?.connect();
    if (!ws) {
      response.writeHead(426).end();
      return;
    }
    const after = Number(new URL(request.url ?? '/', 'ws://localhost').searchParams.get('after'));
    async function* entries() {
      for (const entry of log.slice(after)) {
        if (breaks(entry)) ws?.abort();
        // Each entry is written in a turn of the event loop of its own, as in a real log.
        await turn();
        yield JSON.stringify(entry);
      }
    }
    // An error means that the client is gone; it will connect again.
    pipeline(entries, ws, () => {});
  });
  configureServer(server);
  return server;
}

/**
 * Reads a log to its end, also if connections break. The URL of each connection has the number of the last entry received, so no entry is
 * lost, and none is received twice.
 */
export async function follow(url: string, receive: (entry: Entry) => void): Promise<void> {
  let last = 0;
  const connections = reconnecting(() => `${url}?after=${last}`, { initialDelay: 20 });
  for await (const ws of connections) {
    try {
      for await (const message of ws) {
        const entry: Entry = JSON.parse(message.toString());
        receive(entry);
        // After `receive()`: if that throws, the entry is sent again.
        last = entry.number;
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      console.log(`${error.message}. Going on after entry ${last}.`);
    }
  }
}

async function main(): Promise<void> {
  const log = Array.from({ length: 1000 }, (_, i) => ({ number: i + 1, text: `entry ${i + 1}` }));
  const server = createLogServer(log, () => Math.random() < 0.01);
  await once(server.listen(0), 'listening');
  const received: Entry[] = [];
  await follow(`ws://localhost:${(server.address() as AddressInfo).port}/log`, (entry) => received.push(entry));
  const whole = log.every((entry, i) => received[i]?.text === entry.text) && received.length === log.length;
  console.log(
    `Received ${received.length} of ${log.length} entries, ${whole ? 'each once and in order' : 'not as sent'}.`,
  );
  server.close();
}

if (require.main === module) main();
