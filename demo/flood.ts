import { setTimeout as delay } from 'node:timers/promises';

const messageSize = 16 * 1024;
const batch = { messages: 25, interval: 20 };

/** What a server has produced for its readers, and who they are. */
export interface Flood {
  produced: number;
  /** How many readers were cut off, because too much waited for them. */
  cut: number;
  readonly readers: Set<{ readonly bufferedAmount: number }>;
}

export function createFlood(): Flood {
  return { produced: 0, cut: 0, readers: new Set() };
}

/** A source that yields up to 20 MiB a second: as much of it as is asked for. */
export async function* produce(flood: Flood): AsyncGenerator<Buffer> {
  for (;;) {
    for (let i = 0; i < batch.messages; i++) {
      flood.produced += messageSize;
      yield Buffer.alloc(messageSize, i);
    }
    await delay(batch.interval);
  }
}

/** Five times a second, as JSON: bytes produced so far, readers cut off, bytes that wait in the process, and its memory. */
export async function* figures(flood: Flood): AsyncGenerator<string> {
  for (;;) {
    let queue = 0;
    for (const { bufferedAmount } of flood.readers) queue += bufferedAmount;
    yield JSON.stringify({ produced: flood.produced, cut: flood.cut, queue, memory: process.memoryUsage.rss() });
    await delay(200);
  }
}
