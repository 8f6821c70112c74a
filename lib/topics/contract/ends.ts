import assert from 'node:assert/strict';
import { type BrokerSpec, dataOf, end, spec, take } from './stage';

/** Names that an escape might get wrong, or that might reach the topic of another name. */
const names = (base: string) =>
  [
    ...[
      '',
      '.',
      '..',
      '.*',
      '.>',
      '*',
      '>',
      ' ',
      '/',
      ':',
      '%',
      '%2E',
      '_',
      '-',
      '\\',
      '"',
      '{',
      '}',
      '?',
      '\u001f',
      '\t',
    ],
    ...['a', 'A', '.a', '_a', '=', '==', 'é', 'e\u0301', '\u{1f600}', '\u2028', '$', '__proto__'],
  ].map((suffix) => base + suffix);

export const endsAndNames: readonly BrokerSpec[] = [
  spec('topics: no name reaches another topic', async ({ open, topic, signal }) => {
    const broker = open();
    const all = [...names(topic), 'x'.repeat(255 - topic.length) + topic, topic + 'x'.repeat(255 - topic.length)];
    const froms = await Promise.all(all.map((name) => end(broker, name)));
    const taken = all.map((name, i) => take(broker.read(name, froms[i] ?? '', signal), 2));
    for (const round of [1, 2]) await Promise.all(all.map((name) => broker.publish(name, `${round} ${name}`)));
    for (const [i, messages] of (await Promise.all(taken)).entries())
      assert.deepEqual(dataOf(messages), [`1 ${all[i]}`, `2 ${all[i]}`]);
  }),

  spec(
    'read(): is done when its signal aborts, before it begins, while it waits, and between messages',
    async (stage) => {
      const { open, topic } = stage;
      const broker = open();
      const from = await end(broker, topic);
      await broker.publish(topic, 'text');
      assert.deepEqual(await take(broker.read(topic, from, AbortSignal.abort()), 1), []);

      const waiting = new AbortController();
      const reading = broker.read(topic, from, waiting.signal)[Symbol.asyncIterator]();
      assert.equal((await reading.next()).value.data, 'text');
      const next = reading.next();
      waiting.abort();
      assert.deepEqual(await next, { done: true, value: undefined });

      const between = new AbortController();
      await broker.publish(topic, 'more');
      for await (const { data } of broker.read(topic, from, between.signal)) {
        assert.equal(data, 'text');
        between.abort();
      }
    },
  ),

  spec('publish(): is not done if its signal has aborted', async ({ open, topic }) => {
    const broker = open();
    const { last } = await broker.bounds(topic);
    const isAborted = { name: 'AbortError', code: 'WS_ERR_ABORTED' };
    await assert.rejects(broker.publish(topic, 'text', { signal: AbortSignal.abort() }), isAborted);
    assert.equal((await broker.bounds(topic)).last, last);
  }),

  spec('publish(): adds a message once, however often it is published, if the broker deduplicates', async (stage) => {
    const { open, topic, signal } = stage;
    const [broker, other] = [open(), open()];
    if (broker.guarantees.deduplicates !== true) return;
    const from = await end(broker, topic);
    const id = await broker.publish(topic, 'one', { key: `${topic} 1` });
    assert.equal(await broker.publish(topic, 'one', { key: `${topic} 1` }), id);
    assert.equal(await other.publish(topic, 'one', { key: `${topic} 1` }), id);
    await broker.publish(topic, 'two', { key: `${topic} 2` });
    assert.deepEqual(dataOf(await take(broker.read(topic, from, signal), 2)), ['one', 'two']);
  }),

  spec('close(): ends the reads, and refuses what comes later', async ({ open, topic, signal }) => {
    const [broker, other] = [open(), open()];
    const from = await end(broker, topic);
    const reads = [1, 2, 3].map(() => take(broker.read(topic, from, signal), 1));
    const read = take(other.read(topic, from, signal), 1);
    await broker.publish(topic, 'text');
    await Promise.all(reads);
    const waiting = take(broker.read(topic, await end(broker, topic), signal), 1);
    await Promise.all([broker.close(), broker.close()]);
    assert.deepEqual(await waiting, []);
    assert.deepEqual(await take(broker.read(topic, from, signal), 1), []);
    const isClosed = { code: 'WS_ERR_NOT_OPEN' };
    await assert.rejects(broker.publish(topic, 'text'), isClosed);
    await assert.rejects(broker.bounds(topic), isClosed);
    assert.deepEqual(dataOf(await read), ['text'], 'another broker is not closed');
  }),
];
