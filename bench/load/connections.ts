import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Address } from '../work';
import { dropSocket, openSocket } from './http1';
import { openSession, openStream } from './http2';

interface Connections {
  readonly streams: Duplex[];
  close(): Promise<void>;
}

/** The queue of a listening socket is short. */
const atOnce = 50;

export async function openConnections(address: Address, count: number, deflate: boolean): Promise<Connections> {
  return address.transport === 'http1' ? openSockets(address, count, deflate) : openStreams(address, count, deflate);
}

async function openSockets({ port }: Address, count: number, deflate: boolean): Promise<Connections> {
  const sockets = await repeat(count, () => openSocket(port, deflate));
  return {
    streams: sockets,
    async close() {
      await Promise.all(sockets.map(dropSocket));
    },
  };
}

/** All of them on one session, which is what HTTP/2 is for. */
async function openStreams({ port }: Address, count: number, deflate: boolean): Promise<Connections> {
  const session = await openSession(port);
  return {
    streams: await repeat(count, () => openStream(session, deflate)),
    async close() {
      const closed = once(session, 'close');
      session.destroy();
      await closed;
    },
  };
}

/** Does something many times, some of them at once. */
export async function repeat<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let started = 0;
  const workers = Array.from({ length: Math.min(atOnce, count) }, async () => {
    while (started < count) {
      started++;
      results.push(await work());
    }
  });
  await Promise.all(workers);
  return results;
}
