import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Broker, BrokerDriver, TopicMessage } from '../../lib/topics/broker';
import { toCursor } from '../../lib/topics/cursor';
import type { Engine } from '../support/engines';
import { rejectionOf } from '../support/rejection';

/** What the specs of trouble need of an engine. */
export interface TroubleRig {
  readonly engine: Engine;
  /** A driver whose calls fail after a fraction of a second without an answer. */
  driver(): BrokerDriver;
  /** Deletes all that the engine keeps of the topics, as its administrator. */
  deleteAll(): Promise<void>;
}

export const history = { messages: 1000, bytes: 16 * 1024 * 1024, maxAge: 300_000 };

export async function startOf(broker: Broker, topic: string): Promise<string> {
  const { epoch, first } = await broker.bounds(topic);
  return toCursor({ epoch, offset: first - 1 });
}

export async function endOf(broker: Broker, topic: string): Promise<string> {
  const { epoch, last } = await broker.bounds(topic);
  return toCursor({ epoch, offset: last });
}

export async function take(messages: AsyncIterable<TopicMessage>, count: number): Promise<TopicMessage[]> {
  const taken: TopicMessage[] = [];
  for await (const message of messages) if (taken.push(message) >= count) break;
  return taken;
}

/** The result of a call that is repeated while the broker is away. */
export async function whenBack<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: string }).code !== 'WS_ERR_BROKER_UNAVAILABLE') throw error;
    }
  }
}

/** The timers that keep this process alive, once the sockets that are destroyed have been closed: that takes a few turns of the event loop. */
export async function activeTimers(): Promise<string[]> {
  for (let i = 0; i < 5; i++) await nextTurn();
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
}

/** What a driver does when its engine is in trouble: it tells, and loses nothing that the engine has. */
export function itTellsOfTrouble(rig: () => TroubleRig): void {
  let broker: Broker;
  let controller: AbortController;
  let topic: string;
  let topics = 0;
  const read = (after: string) => broker.read(topic, after, controller.signal);
  const dataOf = (messages: readonly TopicMessage[]) => messages.map(({ data }) => data);

  beforeEach(() => {
    broker = rig().driver()({ history });
    controller = new AbortController();
    topic = `trouble ${++topics}`;
  });
  afterEach(async () => {
    controller.abort();
    await broker.close();
  });

  it('fails what is asked while the engine is away, and works when it is there', async () => {
    const { engine, driver } = rig();
    await engine.stop();
    const early = driver()({ history });
    expect(await rejectionOf(early.publish(topic, 'lost'))).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
    expect(await rejectionOf(early.bounds(topic))).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
    const failed = take(early.read(topic, 'epoch:1', controller.signal), 1);
    expect(await rejectionOf(failed)).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
    await engine.start();
    await whenBack(() => early.publish(topic, 'kept'));
    expect(dataOf(await take(early.read(topic, await startOf(early, topic), controller.signal), 1)).at(-1)).to.be.oneOf(
      // A message whose publishing has failed may have been kept nevertheless.
      ['kept', 'lost'],
    );
    await early.close();
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const)
    it(`interrupts readers when the engine is restarted (${signal}), and they continue where they were`, async () => {
      const { engine } = rig();
      const first = await broker.publish(topic, 'before');
      const reading = read(await startOf(broker, topic))[Symbol.asyncIterator]();
      expect((await reading.next()).value).to.have.property('data', 'before');
      // It may get the message before the engine ends.
      const failure = rejectionOf(take({ [Symbol.asyncIterator]: () => reading }, Number.POSITIVE_INFINITY));
      await broker.publish(topic, 'during');
      await engine.stop(signal);
      expect(await failure).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
      await engine.start();
      await whenBack(() => broker.publish(topic, 'after', { key: `${topic} after` }));
      expect(dataOf(await take(read(first), 2))).to.deep.equal(['during', 'after']);
    });

  it('fails calls and readers while the engine does not answer, and continues afterwards', async () => {
    const { engine } = rig();
    const first = await broker.publish(topic, 'before');
    const waiting = rejectionOf(take(read(first), 1));
    await take(read(await startOf(broker, topic)), 1);
    engine.signal('SIGSTOP');
    const publishing = rejectionOf(broker.publish(topic, 'during', { key: `${topic} during` }));
    expect(await publishing).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
    expect(await waiting).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
    engine.signal('SIGCONT');
    await whenBack(() => broker.publish(topic, 'during', { key: `${topic} during` }));
    expect(dataOf(await take(read(first), 1))).to.deep.equal(['during']);
  });

  it("tells readers that the log is a new one when the engine's administrator has deleted it", async () => {
    const first = await broker.publish(topic, 'before');
    const waiting = rejectionOf(take(read(first), 1));
    await rig().deleteAll();
    await whenBack(() => broker.publish(topic, 'after'));
    const failure = await waiting;
    if ((failure as { code?: string }).code === 'WS_ERR_BROKER_UNAVAILABLE') {
      const again = await rejectionOf(whenBack(() => take(read(first), 1)));
      expect(again).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'epoch' });
    } else expect(failure).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'epoch' });
    const { epoch } = await broker.bounds(topic);
    expect(first.startsWith(`${epoch}:`)).to.equal(false);
    expect(dataOf(await take(read(await startOf(broker, topic)), 1))).to.deep.equal(['after']);
  });

  it('keeps the order of messages that are published without waiting, also after the engine was restarted', async () => {
    const { engine } = rig();
    await broker.publish(topic, '0');
    await engine.stop();
    await engine.start();
    await whenBack(() => broker.bounds(topic));
    const ids = await Promise.all(Array.from({ length: 100 }, (_, i) => broker.publish(topic, `${i + 1}`)));
    const all = await take(read(await startOf(broker, topic)), 101);
    expect(dataOf(all)).to.deep.equal(Array.from({ length: 101 }, (_, i) => `${i}`));
    expect(all.slice(1).map(({ id }) => id)).to.deep.equal(ids);
  });

  it('ends what is under way when it is closed, also while the engine does not answer', async () => {
    const { engine, driver } = rig();
    const closing = driver()({ history });
    const from = await endOf(closing, topic);
    const reading = take(closing.read(topic, from, controller.signal), 1);
    engine.signal('SIGSTOP');
    const publishing = rejectionOf(closing.publish(topic, 'text'));
    await closing.close();
    expect(await publishing).to.have.property('code', 'WS_ERR_NOT_OPEN');
    expect(await reading).to.deep.equal([]);
    engine.signal('SIGCONT');
  });

  it('leaves no timer behind when it is closed, also while the engine does not answer', async () => {
    const { engine, driver } = rig();
    await broker.close();
    const before = await activeTimers();
    const closing = driver()({ history });
    await closing.publish(topic, 'text');
    engine.signal('SIGSTOP');
    await closing.close();
    const after = await activeTimers();
    engine.signal('SIGCONT');
    // A timer from before, of Mocha or of fetch() for example, may have ended meanwhile.
    expect(after.length).to.be.at.most(before.length);
  });
}
