import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Topic } from '../../lib/topics';
import { createPair, type Message, type WebSocket } from '../../lib/webSocketHandler';

/** A WebSocket of a server, and what its client has received. */
export interface TestMember {
  readonly ws: WebSocket;
  readonly client: WebSocket;
  readonly received: Message[];
  /** Lets the client read on, if it was made with `reads: false`. */
  read(): void;
  /** Resolves when the client has received this number of messages. */
  has(count: number): Promise<Message[]>;
}

/** @param reads whether the client reads */
export function testMember({ reads = true } = {}): TestMember {
  const [ws, client] = createPair();
  // How a connection ends is another spec's matter.
  client.on('error', () => {});
  const received: Message[] = [];
  const waiting = new Set<() => void>();
  const read = () =>
    client.on('data', (message: Message) => {
      received.push(message);
      for (const check of waiting) check();
    });
  if (reads) read();
  const has = (count: number) =>
    new Promise<Message[]>((resolve, reject) => {
      const check = () => {
        if (received.length < count) return;
        waiting.delete(check);
        resolve(received);
      };
      waiting.add(check);
      client.once('close', () => reject(new Error(`closed after ${received.length} of ${count} messages`)));
      check();
    });
  return { ws: ws.resume(), client, received, read, has };
}

/** Publishes numbers, a few at a time, each with the text behind it. */
export async function publishNumbers(topic: Topic, from: number, to: number, text = ''): Promise<string[]> {
  const ids: string[] = [];
  for (let i = from; i < to; i++) {
    ids.push(await topic.publish(`${i} ${text}`));
    if (i % 10 === 0) await nextTurn();
  }
  return ids;
}

export const numberOf = (message: Message) => Number.parseInt(message.toString(), 10);

/** The numbers from one to below another. */
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Resolves in the turn of the event loop in which the condition has become true. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}
