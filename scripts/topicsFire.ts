/**
 * `npm run topics:fire [-- --scale 10] [--engine nats]`: what `spec/topics/fire.spec.ts` does, with 200 clients times the scale. Prints what it
 * does, how long each step took, and what was accounted for.
 */
import { parseArgs } from 'node:util';
import type { Context } from 'mocha';
import { Arena } from '../spec/topics/fire/arena';
import { attacks } from '../spec/topics/fire/attacks';
import type { EngineName } from '../spec/topics/fire/drivers';

const { values } = parseArgs({ options: { scale: { type: 'string', default: '1' }, engine: { type: 'string' } } });

/** Without a program, there is nothing to show. */
const context = {
  skip() {
    throw new Error(
      'nats-server, redis-server and haproxy are needed: apt-get install nats-server redis-server haproxy',
    );
  },
} as unknown as Context;

async function step<T>(name: string, act: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await act();
  console.log(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return result;
}

async function fire(engine: EngineName, scale: number): Promise<void> {
  console.log(`${engine}, ${200 * scale} clients`);
  const arena = await step('start', () => Arena.start(engine, scale, context));
  try {
    await step('first messages', () => arena.settle());
    for (const [name, attack] of Object.entries(attacks))
      await step(name, async () => {
        await attack(arena);
        await arena.settle();
      });
    const { messages, deliveries, resumptions } = await step('account', () => arena.account());
    console.log(
      `${messages} messages in ${deliveries} deliveries, over ${resumptions} resumptions: each in order, exactly once.`,
    );
  } finally {
    await arena.close();
  }
}

async function main(): Promise<void> {
  const engines = values.engine === undefined ? (['nats', 'redis'] as const) : [values.engine as EngineName];
  for (const engine of engines) await fire(engine, Number(values.scale));
}

void main();
