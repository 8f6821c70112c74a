import type { Duplex } from 'node:stream';
import type { Address } from '../work';
import { dropSocket, openSocket } from './http1';

interface Connections {
  readonly streams: Duplex[];
  close(): Promise<void>;
}

/** The queue of a listening socket is short. */
const atOnce = 50;

export async function openConnections({ port }: Address, count: number, deflate: boolean): Promise<Connections> {
  const sockets = await repeat(count, () => openSocket(port, deflate));
  return {
    streams: sockets,
    async close() {
      await Promise.all(sockets.map(dropSocket));
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
