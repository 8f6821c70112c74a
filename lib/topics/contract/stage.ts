import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketError } from '../../errors';
import type { Broker, BrokerDriver, HistoryLimits, TopicMessage } from '../broker';
import { parseCursor, toCursor } from '../cursor';

/** What the contract needs of the engine that it runs on. */
export interface BrokerRig {
  /** A driver of this engine. Each call may return another one: its brokers share their topics. */
  driver(): BrokerDriver;
  /** Lets time go by. Default: waits. */
  pass?(milliseconds: number): Promise<void>;
}

/** One spec of the contract. It fails if the promise rejects, or does not settle. */
export interface BrokerSpec {
  readonly title: string;
  test(rig: BrokerRig): Promise<void>;
}

/** What a spec works with. All that it opens is closed after it. */
export interface Stage {
  /** Another broker on the same engine, as another process would have it. */
  open(history?: HistoryLimits): Broker;
  /** A topic that no other spec uses. */
  readonly topic: string;
  /** Aborts after the spec. */
  readonly signal: AbortSignal;
  pass(milliseconds: number): Promise<void>;
}

const usual = { messages: 10_000, bytes: 64 * 1024 * 1024, maxAge: 60_000 };
let topics = 0;

export function spec(title: string, act: (stage: Stage) => Promise<void>): BrokerSpec {
  const test = async (rig: BrokerRig) => {
    const brokers: Broker[] = [];
    const controller = new AbortController();
    const open = (history: HistoryLimits = {}) => {
      const broker = rig.driver()({ history: { ...usual, ...history } });
      brokers.push(broker);
      return broker;
    };
    const pass = rig.pass?.bind(rig) ?? delay;
    const topic = `contract ${process.pid}.${Date.now()}.${++topics}`;
    try {
      await act({ open, topic, signal: controller.signal, pass });
    } finally {
      controller.abort();
      await Promise.all(brokers.map((broker) => broker.close()));
    }
  };
  return { title, test };
}

/** The cursor before all messages that are kept. */
export async function start(broker: Broker, topic: string): Promise<string> {
  const { epoch, first } = await broker.bounds(topic);
  return toCursor({ epoch, offset: first - 1 });
}

export async function end(broker: Broker, topic: string): Promise<string> {
  const { epoch, last } = await broker.bounds(topic);
  return toCursor({ epoch, offset: last });
}

export async function take(messages: AsyncIterable<TopicMessage>, count: number): Promise<TopicMessage[]> {
  const taken: TopicMessage[] = [];
  for await (const message of messages) if (taken.push(message) >= count) break;
  return taken;
}

export const dataOf = (messages: readonly TopicMessage[]) => messages.map(({ data }) => data);
export const offsetOf = (id: string) => parseCursor(id)?.offset ?? assert.fail(`not a cursor: ${id}`);
export const isIncreasing = (values: readonly number[]) =>
  values.every((value, i) => i === 0 || value > (values[i - 1] ?? 0));

export async function publishAll(broker: Broker, topic: string, from: number, to: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = from; i < to; i += 50) {
    const some = Array.from({ length: Math.min(50, to - i) }, (_, j) => broker.publish(topic, `${i + j}`));
    ids.push(...(await Promise.all(some)));
  }
  return ids;
}

export const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

export const isLost = (lost: 'evicted' | 'epoch') => (error: unknown) =>
  error instanceof WebSocketError && error.code === 'WS_ERR_TOPIC_LOST' && error.lost === lost;
