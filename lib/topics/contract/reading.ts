import assert from 'node:assert/strict';
import type { Broker, TopicMessage } from '../broker';
import { type Position, parseCursor, toCursor } from '../cursor';
import { type BrokerSpec, dataOf, end, isIncreasing, numbers, offsetOf, publishAll, spec, start, take } from './stage';

export const readingSpecs: readonly BrokerSpec[] = [
  spec('publish(): resolves with a cursor, and the offsets grow', async ({ open, topic }) => {
    const broker = open();
    const ids = await publishAll(broker, topic, 0, 120);
    assert(isIncreasing(ids.map(offsetOf)), 'in the order of the calls, also of those that are under way together');
    const bounds = await broker.bounds(topic);
    assert.equal(parseCursor(ids[0] ?? '')?.epoch, bounds.epoch);
    assert.equal(offsetOf(ids.at(-1) ?? ''), bounds.last);
    assert(bounds.first <= offsetOf(ids[0] ?? ''));
  }),

  spec('bounds(): a topic without messages has none to lose', async ({ open, topic, signal }) => {
    const broker = open();
    const { epoch, first, last } = await broker.bounds(topic);
    assert.equal(first, last + 1);
    const messages = take(broker.read(topic, toCursor({ epoch, offset: last }), signal), 1);
    await broker.publish(topic, 'first');
    assert.deepEqual(dataOf(await messages), ['first']);
  }),

  spec('read(): text stays text, and bytes stay bytes', async ({ open, topic, signal }) => {
    const broker = open();
    const everyByte = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
    const sent = [
      '',
      'text',
      'é \u{1f600} \0 \u2028',
      Buffer.alloc(0),
      Buffer.from('text'),
      everyByte,
      'x'.repeat(70_000),
    ];
    for (const data of sent) await broker.publish(topic, data);
    const received = await take(broker.read(topic, await start(broker, topic), signal), sent.length);
    assert.deepEqual(dataOf(received), sent);
    assert.deepEqual(
      received.map(({ binary }) => binary),
      sent.map((data) => typeof data !== 'string'),
    );
    assert(received.every(({ data, binary }) => Buffer.isBuffer(data) === binary));
  }),

  spec('read(): gives the messages after any cursor, those that are kept and then those to come', async (stage) => {
    const { open, topic, signal } = stage;
    const broker = open();
    const ids = await publishAll(broker, topic, 0, 20);
    const readers = ids.map((id) => broker.read(topic, id, signal));
    const taken = readers.map((messages, i) => take(messages, 29 - i));
    await publishAll(broker, topic, 20, 30);
    for (const [i, messages] of (await Promise.all(taken)).entries())
      assert.deepEqual(dataOf(messages), numbers(i + 1, 30));
    const again = await take(broker.read(topic, await start(broker, topic), signal), 20);
    assert.deepEqual(
      again.map(({ id }) => id),
      ids,
      'the id of a message is what publish() has resolved with',
    );
  }),

  spec(
    'read(): every offset within the bounds is a position, also one that no message of the topic has',
    async (stage) => {
      const { open, topic, signal } = stage;
      const broker = open();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        ids.push(await broker.publish(topic, `${i}`));
        // Where all topics are counted together, this makes a gap.
        for (let j = 0; j < 3; j++) await broker.publish(`${topic} other`, 'other');
      }
      for (const [i, id] of ids.entries()) {
        const { epoch, offset } = parseCursor(id) as Position;
        const read = broker.read(topic, toCursor({ epoch, offset: offset - 1 }), signal);
        assert.deepEqual(dataOf(await take(read, 5 - i)), numbers(i, 5));
      }
    },
  ),

  spec('read(): history, then live, with no gap and no duplicate, while two others publish', async (stage) => {
    const { open, topic, signal } = stage;
    const [one, other, reading] = [open(), open(), open()];
    const from = await end(reading, topic);
    const count = 1500;
    const publish = async (broker: Broker, name: string) => {
      for (let i = 0; i < count; i += 30)
        await Promise.all(Array.from({ length: 30 }, (_, j) => broker.publish(topic, `${name} ${i + j}`)));
    };
    const all = take(reading.read(topic, from, signal), 2 * count);
    const publishing = Promise.all([publish(one, 'one'), publish(other, 'other')]);
    // Readers that begin behind each of these messages, while more are published.
    const later = [];
    for await (const { id } of one.read(topic, from, signal)) {
      if (offsetOf(id) % 100 === 0) later.push(end(reading, topic).then(async (at) => [id, at] as const));
      if (later.length === 10) break;
    }
    const starts = (await Promise.all(later)).flat();
    const rest = starts.map(async (after) => {
      const messages: TopicMessage[] = [];
      const lastId = (await all).at(-1)?.id;
      if (after === lastId) return { after, messages };
      for await (const message of reading.read(topic, after, signal)) {
        messages.push(message);
        if (message.id === lastId) break;
      }
      return { after, messages };
    });
    await publishing;
    const complete = await all;
    assert(isIncreasing(complete.map(({ id }) => offsetOf(id))));
    for (const name of ['one', 'other'])
      assert.deepEqual(
        dataOf(complete).filter((data) => `${data}`.startsWith(`${name} `)),
        Array.from({ length: count }, (_, i) => `${name} ${i}`),
      );
    for (const { after, messages } of await Promise.all(rest))
      assert.deepEqual(
        messages,
        complete.filter(({ id }) => offsetOf(id) > offsetOf(after)),
      );
  }),

  spec('read(): all readers get the same messages, ids and order, whichever broker they use', async (stage) => {
    const { open, topic, signal } = stage;
    const brokers = [open(), open()];
    const [one, other] = brokers as [Broker, Broker];
    const from = await end(one, topic);
    const taken = brokers.flatMap((broker) => [1, 2, 3].map(() => take(broker.read(topic, from, signal), 400)));
    await Promise.all([publishAll(one, topic, 0, 200), publishAll(other, topic, 200, 400)]);
    const [first, ...others] = await Promise.all(taken);
    for (const messages of others) assert.deepEqual(messages, first);
  }),
];
