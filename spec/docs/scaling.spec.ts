import { expect } from 'chai';
import type { CodeBlock } from '../support/codeBlocks';
import { describeBlocks } from '../support/describeBlocks';
import { type Engine, startNats, startRedis } from '../support/engines';

describe('With real brokers', () => {
  let nats: Engine;
  let redis: Engine;
  before(async function () {
    nats = await startNats(this);
    redis = await startRedis(this);
  });
  after(async () => {
    await nats.dispose();
    await redis.dispose();
  });

  async function shareByNats(block: CodeBlock): Promise<void> {
    const replace = { "'nats.internal'": `'127.0.0.1:${nats.port}'` };
    const { topics, connection } = await block.run({ returns: ['topics', 'connection'], replace });
    expect(await topics.topic('a').publish('hello')).to.match(/^[^:]+:\d+$/);
    await topics.close();
    await (await connection).close();
  }

  async function shareByRedis(block: CodeBlock): Promise<void> {
    const { topics } = await block.run({
      before: "import { Topics } from 'node-websocket-handler/topics';",
      returns: ['topics'],
      replace: { 'redis://redis.internal': `redis://127.0.0.1:${redis.port}` },
    });
    expect(await topics.topic('a').publish('hello')).to.match(/^[^:]+:\d+$/);
    await topics.close();
  }

  describeBlocks('docs/scaling.md', { 'The ladder': [shareByNats, shareByRedis] });
});
