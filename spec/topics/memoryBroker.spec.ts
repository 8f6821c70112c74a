import { mock } from 'node:test';
import { expect } from 'chai';
import type { Broker } from '../../lib/topics/broker';
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
