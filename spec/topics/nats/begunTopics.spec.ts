import { mock } from 'node:test';
import { expect } from 'chai';
import { BegunTopics } from '../../../lib/topics/nats/begunTopics';

describe('BegunTopics', () => {
  let begun: string[];
  const begin = (topic: string) => async () => void begun.push(topic);

  beforeEach(() => {
    begun = [];
    mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  });
  afterEach(() => mock.timers.reset());

  it('begins a topic once, and again after half of the retention', async () => {
    const topics = new BegunTopics(1000);
    await topics.ensure('a', begin('a'));
    mock.timers.tick(499);
    await topics.ensure('a', begin('a'));
    expect(begun).to.deep.equal(['a']);
    mock.timers.tick(1);
    await topics.ensure('a', begin('a'));
    expect(begun).to.deep.equal(['a', 'a']);
  });

  it('begins a topic again if that has failed', async () => {
    const topics = new BegunTopics(1000);
    const failure = await topics.ensure('a', () => Promise.reject('away')).catch((error) => error);
    expect(failure).to.equal('away');
    await topics.ensure('a', begin('a'));
    expect(begun).to.deep.equal(['a']);
  });

  it('forgets all topics when they are very many', async () => {
    const topics = new BegunTopics(1000);
    for (let i = 0; i < 50_000; i++) topics.add(`${i}`);
    await topics.ensure('0', begin('0'));
    expect(begun).to.deep.equal([]);
    topics.add('one more');
    await topics.ensure('0', begin('0'));
    await topics.ensure('one more', begin('one more'));
    expect(begun).to.deep.equal(['0']);
  });
});
