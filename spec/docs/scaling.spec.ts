import { EventEmitter, once } from 'node:events';
import { expect } from 'chai';
import type { Topics } from '../../lib/topics';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { type Engine, startNats, startRedis } from '../support/engines';

/** Publishes and reads a message in the topics that the block has made. */
async function useTopics(topics: Topics): Promise<void> {
  const id = await topics.topic('a').publish('hello');
  const reading = topics.topic('a').since('start');
  const [message] = await once(reading, 'data');
  expect(message).to.deep.equal({ id, data: 'hello', binary: false });
  reading.destroy();
  await topics.close();
}

describe('The brokers of docs/scaling.md', () => {
  let nats: Engine;
  let redis: Engine;

  before(async function () {
    nats = await startNats(this);
    redis = await startRedis(this);
  });
  after(() => Promise.all([nats?.dispose(), redis?.dispose()]));

  async function onNats(block: CodeBlock): Promise<void> {
    const { topics, connection } = await block.run({
      returns: ['topics', 'connection'],
      replace: { "'nats.internal'": `'127.0.0.1:${nats.port}'` },
    });
    await useTopics(topics);
    await (await connection).close();
  }

  async function onRedis(block: CodeBlock): Promise<void> {
    const { topics } = await block.run({
      returns: ['topics'],
      replace: { 'redis://redis.internal': `redis://127.0.0.1:${redis.port}` },
    });
    expect(topics).to.be.an.instanceOf(EventEmitter);
    await useTopics(topics);
  }

  describeBlocks('docs/scaling.md', { 'The ladder': [onNats, onRedis] });
});
