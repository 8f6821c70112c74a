import assert from 'node:assert/strict';
import type { TopicMessage } from '../broker';
import { findLoss } from '../cursor';
import { type BrokerSpec, dataOf, end, isLost, numbers, offsetOf, publishAll, spec, start, take } from './stage';

export const historySpecs: readonly BrokerSpec[] = [
  spec('history: keeps no more messages than its limit, and tells a reader what it has missed', async (stage) => {
    const { open, topic, signal } = stage;
    const broker = open({ messages: 10 });
    const ids = await publishAll(broker, topic, 0, 100);
    const bounds = await broker.bounds(topic);
    assert.equal(offsetOf(ids.at(-1) ?? ''), bounds.last);
    const kept = ids.filter((id) => offsetOf(id) >= bounds.first);
    assert.equal(kept.length, 10);
    assert.deepEqual(dataOf(await take(broker.read(topic, await start(broker, topic), signal), 10)), numbers(90, 100));
    assert.deepEqual(dataOf(await take(broker.read(topic, ids[89] ?? '', signal), 10)), numbers(90, 100));
    for (const id of ids.slice(0, 89)) {
      assert.equal(findLoss(id, bounds), 'evicted');
      await assert.rejects(take(broker.read(topic, id, signal), 1), isLost('evicted'));
    }
  }),

  spec('history: keeps no more bytes than its limit', async ({ open, topic, signal }) => {
    const broker = open({ bytes: 10_000 });
    if (broker.guarantees.limitsBytes === false) return;
    for (let i = 0; i < 20; i++) await broker.publish(topic, Buffer.alloc(1000, i));
    const { first, last } = await broker.bounds(topic);
    const from = await start(broker, topic);
    const kept: TopicMessage[] = [];
    for await (const message of broker.read(topic, from, signal)) {
      kept.push(message);
      if (offsetOf(message.id) === last) break;
    }
    assert(first <= last && kept.length >= 5 && kept.length <= 10, `${kept.length} messages of 1,000 bytes`);
    assert.deepEqual(
      kept.map(({ data }) => data[0]),
      numbers(20 - kept.length, 20).map(Number),
    );
  }),

  spec('history: deletes messages that have reached their age', async ({ open, topic, signal, pass }) => {
    const broker = open({ maxAge: 1000 });
    const [id = ''] = await publishAll(broker, topic, 0, 1);
    const second = await broker.publish(topic, 'second');
    for (;;) {
      const { first, last } = await broker.bounds(topic);
      if (first > last) break;
      await pass(200);
    }
    assert.equal((await broker.bounds(topic)).last, offsetOf(second), 'the offsets go on');
    await assert.rejects(take(broker.read(topic, id, signal), 1), isLost('evicted'));
    const next = take(broker.read(topic, second, signal), 1);
    await broker.publish(topic, 'third');
    assert.deepEqual(dataOf(await next), ['third']);
  }),

  spec('history: tells a reader that has paused for too long, and gives nothing from behind the gap', async (stage) => {
    const { open, topic, signal } = stage;
    const broker = open({ messages: 50 });
    const reading = broker.read(topic, await end(broker, topic), signal)[Symbol.asyncIterator]();
    const given: string[] = [];
    await publishAll(broker, topic, 0, 1);
    given.push(`${(await reading.next()).value.data}`);
    // Whatever a driver fetches ahead, it is less than this.
    await publishAll(broker, topic, 1, 5000);
    await assert.rejects(async () => {
      for (;;) given.push(`${(await reading.next()).value.data}`);
    }, isLost('evicted'));
    assert.deepEqual(given, numbers(0, given.length));
    assert(given.length < 4950);
  }),

  spec(
    "cursors: another epoch, an offset to come, and what is no cursor are of no epoch here: 'epoch'",
    async (stage) => {
      const { open, topic, signal } = stage;
      const broker = open();
      await broker.publish(topic, 'text');
      const { epoch, last } = await broker.bounds(topic);
      for (const after of [
        'other:1',
        `${epoch}:${last + 1}`,
        `${epoch}:`,
        `${epoch}:-1`,
        `${epoch}:1e1`,
        epoch,
        '',
        ':1',
        '0',
      ])
        await assert.rejects(take(broker.read(topic, after, signal), 1), isLost('epoch'), after);
    },
  ),
];
