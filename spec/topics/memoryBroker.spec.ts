import { mock } from 'node:test';
import { expect } from 'chai';
import type { Broker, TopicMessage } from '../../lib/topics/broker';
import { brokerContract } from '../../lib/topics/contract';
import { memoryBroker } from '../../lib/topics/memoryBroker';
import { retainedBytes } from '../support/garbage';
import { rejectionOf } from '../support/rejection';
import { thrownBy } from '../support/thrown';

const history = { messages: 1000, bytes: 64 * 1024 * 1024, maxAge: 60_000 };
const mebibyte = 1024 * 1024;

describe('memoryBroker()', () => {
  beforeEach(() => mock.timers.enable({ apis: ['Date', 'setInterval'] }));
  afterEach(() => mock.timers.reset());

  describe('keeps the contract of brokers', () => {
    const driver = memoryBroker();
    const rig = { driver: () => driver, pass: async (milliseconds: number) => mock.timers.tick(milliseconds) };
    for (const { title, test } of brokerContract) it(title, () => test(rig));
  });

  describe('memory', () => {
    let broker: Broker;
    beforeEach(() => {
      broker = memoryBroker()({ history });
    });
    afterEach(() => broker.close());

    it('frees messages that have reached their age, also if nobody reads or writes their topic', async () => {
      const before = await retainedBytes();
      for (let i = 0; i < 20; i++) await broker.publish(`topic ${i}`, Buffer.alloc(mebibyte));
      expect((await retainedBytes()) - before).to.be.above(19 * mebibyte);
      mock.timers.tick(90_000);
      expect((await retainedBytes()) - before).to.be.below(mebibyte);
    });

    it('frees what a topic has taken that was busy once, also if a message is left', async () => {
      const before = await retainedBytes();
      for (let i = 0; i < 1000; i++) for (let n = 0; n < 300; n++) await broker.publish(`topic ${i}`, 'x');
      mock.timers.tick(50_000);
      for (let i = 0; i < 1000; i++) await broker.publish(`topic ${i}`, 'x');
      mock.timers.tick(40_000);
      expect((await retainedBytes()) - before).to.be.below(2.5 * mebibyte);
    });

    it('keeps a small message without the large buffer that it is a part of', async () => {
      const before = await retainedBytes();
      for (let i = 0; i < 20; i++) await broker.publish('topic', Buffer.alloc(mebibyte).subarray(0, 10));
      expect((await retainedBytes()) - before).to.be.below(mebibyte);
    });

    it('forgets topics without messages and readers when there are very many, but none that is read', async () => {
      const { epoch } = await broker.bounds('read');
      const controller = new AbortController();
      const reading = broker.read('read', `${epoch}:0`, controller.signal)[Symbol.asyncIterator]();
      const forgotten = await broker.bounds('forgotten');
      for (let i = 0; i < 10_000; i++) await broker.bounds(`topic ${i}`);
      expect((await broker.bounds('forgotten')).epoch).to.not.equal(forgotten.epoch);
      await broker.publish('read', 'text');
      expect((await reading.next()).value).to.deep.equal({ id: `${epoch}:1`, data: 'text', binary: false });
      controller.abort();
    });
  });

  describe('maxBytes', () => {
    let broker: Broker;
    beforeEach(() => {
      broker = memoryBroker({ maxBytes: 10 * mebibyte })({ history });
    });
    afterEach(() => broker.close());

    /** Publishes a message of one mebibyte in each second, each in a topic of its own. */
    async function publishMebibytes(count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        await broker.publish(`topic ${i}`, Buffer.alloc(mebibyte));
        mock.timers.tick(1000);
      }
    }

    const isKept = async (topic: string) => {
      const { first, last } = await broker.bounds(topic);
      return first <= last;
    };

    it('deletes the oldest messages of all topics, and keeps the newest', async () => {
      await publishMebibytes(30);
      const kept: number[] = [];
      for (let i = 0; i < 30; i++) if (await isKept(`topic ${i}`)) kept.push(i);
      expect(kept.length).to.be.within(4, 10);
      expect(kept).to.deep.equal(Array.from({ length: kept.length }, (_, i) => 30 - kept.length + i));
    });

    it('tells a reader of what was deleted', async () => {
      const { epoch } = await broker.bounds('topic 0');
      await publishMebibytes(30);
      const reading = broker.read('topic 0', `${epoch}:0`, new AbortController().signal)[Symbol.asyncIterator]();
      expect(await rejectionOf(reading.next())).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'evicted' });
    });

    it('counts what a message takes beside its data', async () => {
      for (let i = 0; i < 100_000; i++) await broker.publish(`topic ${i % 1000}`, 'x');
      let kept = 0;
      for (let i = 0; i < 1000; i++) {
        const { first, last } = await broker.bounds(`topic ${i}`);
        kept += last - first + 1;
      }
      expect(kept).to.be.below((10 * mebibyte) / 200);
    });

    it('holds also for topics that a client has made up, each with a long name and a short message', async () => {
      const before = await retainedBytes();
      for (let i = 0; i < 50_000; i++) await broker.publish(`${i}`.padStart(200, 'name '), 'x');
      expect((await retainedBytes()) - before).to.be.below(10 * mebibyte);
    });

    it('takes messages of topics that nobody reads first', async () => {
      const { epoch } = await broker.bounds('read');
      const controller = new AbortController();
      const reading = broker.read('read', `${epoch}:0`, controller.signal)[Symbol.asyncIterator]();
      await broker.publish('read', 'the oldest message of all');
      await publishMebibytes(30);
      expect((await reading.next()).value).to.include({ id: `${epoch}:1`, data: 'the oldest message of all' });
      controller.abort();
    });

    it('takes the oldest messages of topics that are read if there is nothing else, and tells their readers', async () => {
      const controller = new AbortController();
      const readers: AsyncIterator<TopicMessage>[] = [];
      for (let i = 0; i < 30; i++) {
        const { epoch } = await broker.bounds(`topic ${i}`);
        readers.push(broker.read(`topic ${i}`, `${epoch}:0`, controller.signal)[Symbol.asyncIterator]());
      }
      await publishMebibytes(30);
      const [oldest, newest] = [readers[0], readers[29]] as [AsyncIterator<TopicMessage>, AsyncIterator<TopicMessage>];
      expect(await rejectionOf(oldest.next())).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'evicted' });
      expect((await newest.next()).value.data).to.have.lengthOf(mebibyte);
      controller.abort();
    });

    it('makes a topic that was forgotten a new log, of another epoch', async () => {
      const id = await broker.publish('forgotten', 'text');
      for (let i = 0; i < 50_000; i++) {
        await broker.publish(`topic ${i}`, 'x');
        if (i % 100 === 0) mock.timers.tick(10);
      }
      const reading = broker.read('forgotten', id, new AbortController().signal)[Symbol.asyncIterator]();
      expect(await rejectionOf(reading.next())).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'epoch' });
    });

    it('keeps the newest messages of topics that are read also if these take more than it without messages', async () => {
      const small = memoryBroker({ maxBytes: 1000 })({ history });
      const controller = new AbortController();
      for (let i = 0; i < 100; i++) small.read(`topic ${i}`, 'epoch:0', controller.signal);
      const { epoch } = await small.bounds('topic 0');
      const ids = [await small.publish('topic 0', '1'), await small.publish('topic 0', '2')];
      expect(ids).to.deep.equal([`${epoch}:1`, `${epoch}:2`]);
      expect(await small.bounds('topic 0')).to.deep.equal({ epoch, first: 1, last: 2 });
      controller.abort();
      await small.close();
    });

    it('frees what it counts when messages reach their age', async () => {
      await publishMebibytes(9);
      mock.timers.tick(60_000);
      await publishMebibytes(9);
      expect(await isKept('topic 0')).to.equal(true);
    });

    it('must be a number of bytes', () => {
      expect(thrownBy(() => memoryBroker({ maxBytes: -1 })).message).to.include('option maxBytes');
    });
  });

  it('begins a new epoch when all its brokers have been closed', async () => {
    const driver = memoryBroker();
    const [one, other] = [driver({ history }), driver({ history })];
    const { epoch } = await one.bounds('topic');
    await one.close();
    expect((await other.bounds('topic')).epoch).to.equal(epoch);
    await other.close();
    const next = driver({ history });
    expect((await next.bounds('topic')).epoch).to.not.equal(epoch);
    await next.close();
  });
});
