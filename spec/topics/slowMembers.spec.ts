import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { memoryBroker, type TopicPolicy, Topics } from '../../lib/topics';
import type { BrokerDriver } from '../../lib/topics/broker';
import { retainedBytes } from '../support/garbage';
import { testMember, until } from '../support/topicMembers';

const text = 'x'.repeat(4096);
const messages = 120;
/** From this message on, those that do not read have fallen behind, and the history is full. */
const settled = 50;
const readers = 950;
const notReaders = 50;
const limit = 16;
/** Where a stream of bytes begins to hold its writers back: 64 KiB since Node 22, less before. */
const mark = 64 * 1024;

/** What happens with the messages of a topic, message by message. */
interface Course {
  /** Turns of the event loop from publishing until all that read have received the message. */
  readonly delivery: number[];
  /** Turns from the message that the broker gives to its live reader until the reader asks for the next one. */
  readonly pauses: number[];
  /** Bytes that wait at those that do not read, all together. */
  readonly buffered: number[];
  /** Messages that wait in the queues of the topic. */
  readonly waiting: number[];
  /** Bytes that the process has retained, at the first message behind `settled` and at the last. */
  readonly retained: number[];
}

/** The turns of the event loop so far. */
class Turns {
  count = 0;
  #ended = false;

  constructor() {
    void this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      await nextTurn();
      this.count++;
    }
  }

  end(): void {
    this.#ended = true;
  }
}

/** A driver in memory that tells how many turns its first reader, which is the live one, pauses after each message. */
function watched(turns: Turns, paused: (turns: number) => void): BrokerDriver {
  return (settings) => {
    const broker = memoryBroker()(settings);
    const read = broker.read.bind(broker);
    let isFirst = true;
    broker.read = (...args) => {
      if (!isFirst) return read(...args);
      isFirst = false;
      return (async function* () {
        for await (const message of read(...args)) {
          const given = turns.count;
          yield message;
          paused(turns.count - given);
        }
      })();
    };
    return broker;
  };
}

async function publishTo(reading: number, notReading: number, policy: TopicPolicy): Promise<Course> {
  const turns = new Turns();
  const course: Course = { delivery: [], pauses: [], buffered: [], waiting: [], retained: [] };
  const broker = watched(turns, (pause) => course.pauses.push(pause));
  const topics = new Topics({ broker, history: { messages: settled } });
  const topic = topics.topic('lobby');
  const join = (count: number, reads: boolean) => Array.from({ length: count }, () => testMember({ reads }));
  const idle = join(notReading, false);
  const others = join(reading, true);
  let received = 0;
  for (const { client } of others) client.on('data', () => received++);
  for (const { ws } of idle) topic.add(ws, policy === 'keep-latest' ? { policy } : { policy, limit });
  for (const { ws } of others) topic.add(ws);
  for (let i = 0; i < messages; i++) {
    for (const other of others) other.received.length = 0;
    received = 0;
    if (i === settled || i === messages - 1) course.retained.push(await retainedBytes());
    const published = turns.count;
    await topic.publish(text);
    await until(() => received >= reading);
    course.delivery.push(turns.count - published);
    course.buffered.push(sum(idle.map(({ ws }) => ws.bufferedAmount)));
    course.waiting.push(topic.totals.waiting);
  }
  await until(() => course.pauses.length === messages);
  await topics.close();
  for (const { client } of [...idle, ...others]) client.abort();
  turns.end();
  await nextTurn();
  return course;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

const policies: readonly TopicPolicy[] = ['catch-up', 'drop-oldest', 'keep-latest', 'close'];

describe('A topic with 1,000 members of which 50 do not read', () => {
  let without: Course;
  before(async () => {
    without = await publishTo(readers, 0, 'catch-up');
  });

  for (const policy of policies)
    describe(`and have the policy '${policy}'`, () => {
      let course: Course;
      before(async () => {
        course = await publishTo(readers, notReaders, policy);
      });

      it('delivers each message to the others in as many turns of the event loop as without them', () => {
        expect(course.delivery).to.have.lengthOf(messages).and.to.deep.equal(without.delivery);
      });

      it('lets the reader of the broker wait for one turn, when they begin to lag, and then never', () => {
        expect(sum(without.pauses)).to.equal(0);
        expect(course.pauses).to.have.lengthOf(messages);
        expect(sum(course.pauses)).to.equal(1);
      });

      it('has no more messages in their queues than the limit', () => {
        expect(Math.max(...course.waiting)).to.be.within(notReaders, notReaders * limit);
      });

      it('does not buffer more and more bytes for them', () => {
        const buffered = course.buffered.slice(settled);
        expect(Math.max(...course.buffered)).to.be.within(1, notReaders * (mark + text.length + 64));
        expect(new Set(buffered).size).to.equal(1);
      });

      it('retains no more memory, however many messages they do not read', () => {
        const [first = 0, last = Number.POSITIVE_INFINITY] = course.retained;
        expect(last - first).to.be.below(512 * 1024);
      });
    });
});
