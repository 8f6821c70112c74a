import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { configureServer, reconnecting, WebSocketError } from '../lib/webSocketHandler';

/** Something that happened, with its place in the order of all that happened. */
export interface Entry {
  readonly number: number;
  readonly text: string;
}

/**
 * Sends each client the entries behind the last one that it has, over a network that breaks often.
 * @param breaks whether the connection breaks before this entry
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
        // They happen one after the other.
        await turn();
        yield JSON.stringify(entry);
      }
    }
    // A client that is gone is no news: it comes back.
    pipeline(entries, ws, () => {});
  });
  configureServer(server);
  return server;
}

/**
 * Reads a log to its end, whatever happens to the connections. The number of the last entry goes into the URL of the next
 * connection, so nothing is lost, and nothing comes twice.
 */
export async function follow(url: string, receive: (entry: Entry) => void): Promise<void> {
  let last = 0;
  const connections = reconnecting(() => `${url}?after=${last}`, { initialDelay: 20 });
  for await (const ws of connections) {
    try {
      for await (const message of ws) {
        const entry: Entry = JSON.parse(message.toString());
        receive(entry);
        // Only now: an entry counts when it has been dealt with.
        last = entry.number;
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      console.log(`${error.message}. Going on behind ${last}.`);
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
