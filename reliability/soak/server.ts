/** The server of a soak, in a process of its own: it echoes, and tells of itself when it is asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { configureServer } from '../../lib/webSocketHandler';
import { retainedBytes } from '../../spec/support/garbage';

/** What the server can be asked for. */
export type Question = 'measure' | 'glance' | 'drop all' | 'deploy';

export interface Measured {
  readonly connections: number;
  /** Bytes that are still referred to, after a collection. */
  readonly retained: number;
  readonly rss: number;
  /** Milliseconds of which the event loop was late, 99 % of the time less, since the last question. */
  readonly delay: number;
  /** Errors of connections since the last question, by code. */
  readonly errors: Readonly<Record<string, number>>;
}

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
let errors: Record<string, number> = {};
/** The messages that were acknowledged, by all generations of the server. */
const stored = new Set<string>();

/** A generation of the server: a deploy makes another one. */
async function start() {
  const server = createServer((_request, response) => {
    const ws = response.webSocket;
    if (ws === undefined) return void response.end('ok');
    ws.connect();
    ws.on('error', ({ code = 'none' }: Error & { code?: string }) => {
      errors[code] = (errors[code] ?? 0) + 1;
    });
    ws.on('message', (message) => {
      if (typeof message === 'string' && message.startsWith('store ')) stored.add(message);
      ws.write(message);
    });
  });
  const handle = configureServer(server, { perMessageDeflate: true });
  await once(server.listen(0, '127.0.0.1', 10_000), 'listening');
  return { server, handle, port: (server.address() as AddressInfo).port };
}

async function main(): Promise<void> {
  let generation = await start();
  const answers: Readonly<Record<Question, () => Promise<unknown>>> = {
    async measure(): Promise<Measured> {
      // Before the collection, which delays the event loop itself.
      const late = delay.percentile(99) / 1e6;
      const measured = {
        connections: generation.handle.connections.size,
        retained: await retainedBytes(),
        rss: process.memoryUsage.rss(),
        delay: late,
        errors,
      };
      errors = {};
      delay.reset();
      return measured;
    },
    async glance(): Promise<number> {
      return process.memoryUsage.rss();
    },
    async 'drop all'() {
      for (const ws of generation.handle.connections) ws.abort();
    },
    async deploy() {
      const old = generation;
      generation = await start();
      process.send?.({ port: generation.port });
      old.server.close();
      const { closed, dropped } = await old.handle.close({ code: 1012, spread: 500 });
      return { closed, dropped, stored: [...stored] };
    },
  };
  process.on('message', ({ id, question }: { id: number; question: Question }) => {
    void answers[question]().then((answer) => process.send?.({ id, answer }));
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ port: generation.port });
}

void main();
