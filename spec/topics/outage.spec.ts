import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { type Resumption, type Topic, type TopicMessage, Topics, type TopicsOptions } from '../../lib/topics';
import { WebSocketError } from '../../lib/webSocketHandler';
import { type FakeBroker, fakeBroker } from '../support/fakeBroker';
import { passUntil } from '../support/mockedTime';
import { rejectionOf } from '../support/rejection';
import { numberOf, publishNumbers, range, type TestMember, testMember, until } from '../support/topicMembers';

describe('When the broker of topics', () => {
  let broker: FakeBroker;
  let topics: Topics;
  let topic: Topic;
  let members: TestMember[];
  let events: unknown[][];

  function open(options: TopicsOptions = {}, settings: Parameters<typeof fakeBroker>[0] = {}): void {
    broker = fakeBroker(settings);
    topics = new Topics({ broker: broker.driver, ...options });
    topic = topics.topic('prices');
    for (const event of ['offline', 'online'] as const)
      topics.on(event, (...args: unknown[]) => events.push([event, ...args]));
  }

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    members = [];
    events = [];
    open();
  });
  afterEach(async () => {
    await topics.close();
    for (const { client } of members) client.abort();
    mock.timers.reset();
  });

  /** A member that is live, with what it was told. */
  async function live(): Promise<TestMember & { outcomes: Resumption[] }> {
    const made = testMember();
    members.push(made);
    const outcomes: Resumption[] = [];
    topic.add(made.ws, { onResume: (outcome) => outcomes.push(outcome) });
    await topic.publish('0');
    await made.has(1);
    return { ...made, outcomes };
  }

  const named = () => events.map(([event]) => event);

  it('cannot be reached, members stay, and go on after their last message when it is back', async () => {
    const member = await live();
    const [id] = (await topic.since('start').take(1).toArray()) as [TopicMessage];
    broker.fail();
    await once(topics, 'offline');
    expect([topics.online, member.ws.writable]).to.deep.equal([false, true]);
    broker.restore();
    await passUntil(once(topics, 'online'));
    expect(topics.online).to.equal(true);
    await publishNumbers(topic, 1, 5);
    expect((await member.has(5)).map(numberOf)).to.deep.equal(range(0, 5));
    expect(member.outcomes).to.deep.equal([{ recovered: true, after: id.id }]);
    expect(named()).to.deep.equal(['offline', 'online']);
    expect(events[0]?.[1]).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
  });

  it('is away for long, it is asked again ever more seldom', async () => {
    open({ initialDelay: 100, maxDelay: 1000 });
    await live();
    broker.fail();
    await once(topics, 'offline');
    const before = broker.calls.bounds;
    mock.method(Math, 'random', () => 1);
    let passed = false;
    // 100, 200, 400, 800, and then every second.
    const time = (async () => {
      for (let ms = 0; ms < 10_000; ms += 50) {
        mock.timers.tick(50);
        for (let i = 0; i < 5; i++) await nextTurn();
      }
      passed = true;
    })();
    await time;
    mock.restoreAll();
    expect([passed, broker.calls.bounds - before]).to.deep.equal([true, 12]);
    expect(named()).to.deep.equal(['offline']);
  });

  it('has lost its messages, members are told, and go on with the new log', async () => {
    const member = await live();
    broker.fail();
    await once(topics, 'offline');
    await broker.restart();
    await passUntil(once(topics, 'online'));
    await passUntil(until(() => member.outcomes.length > 0));
    expect(member.outcomes.map(({ lost }) => lost)).to.deep.equal(['epoch']);
    await topic.publish('1');
    expect(await member.has(2)).to.deep.equal(['0', '1']);
  });

  it('has deleted messages meanwhile, members are told, and get the ones that are kept', async () => {
    open({ history: { messages: 10 } });
    const member = await live();
    broker.fail();
    await once(topics, 'offline');
    broker.restore();
    // Before the reader asks again.
    await publishNumbers(topic, 1, 31);
    await passUntil(member.has(11));
    expect(member.received.map(numberOf)).to.deep.equal([0, ...range(21, 31)]);
    expect(member.outcomes.map(({ lost }) => lost)).to.deep.equal(['evicted']);
  });

  it('cannot be reached at the start, members wait, and get what this process publishes first', async () => {
    broker.fail();
    const member = testMember();
    members.push(member);
    topic.add(member.ws);
    await once(topics, 'offline');
    const failed = await topic.publish('lost').catch((error) => error);
    expect(failed).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
    broker.restore();
    await topic.publish('first');
    await passUntil(member.has(1));
    expect(member.received).to.deep.equal(['first']);
    await passUntil(until(() => topics.online));
  });

  it('loses what this process has published before it could be read, the members are told', async () => {
    broker.fail();
    const member = testMember();
    members.push(member);
    const outcomes: Resumption[] = [];
    topic.add(member.ws, { onResume: (outcome) => outcomes.push(outcome) });
    await once(topics, 'offline');
    broker.restore();
    const lost = await topic.publish('lost');
    await broker.restart();
    await topic.publish('kept');
    await passUntil(member.has(1));
    expect(member.received).to.deep.equal(['kept']);
    expect(outcomes).to.deep.equal([{ recovered: false, lost: 'epoch', after: lost.replace(/1$/, '0') }]);
  });

  it('is away while a member reads history, it goes on with the next message', async () => {
    // More than is kept for members that come back.
    await publishNumbers(topic, 0, 300, 'x'.repeat(8192));
    const member = testMember({ reads: false });
    members.push(member);
    const outcomes: (true | string)[] = [];
    topic.add(member.ws, { after: 'start', onResume: ({ lost }) => outcomes.push(lost ?? true) });
    await until(() => (topic.stats(member.ws)?.sent ?? 0) > 0);
    broker.fail();
    member.read();
    await once(topics, 'offline');
    broker.restore();
    await passUntil(member.has(300));
    expect(member.received.map(numberOf)).to.deep.equal(range(0, 300));
    expect(outcomes).to.deep.equal([true]);
  });

  it('is away, since() waits', async () => {
    const ids = await publishNumbers(topic, 0, 3);
    const reading = topic.since(ids[0]).take(4).toArray() as Promise<TopicMessage[]>;
    await until(() => broker.calls.read > 0);
    broker.fail();
    await once(topics, 'offline');
    broker.restore();
    await publishNumbers(topic, 3, 5);
    await passUntil(reading);
    expect((await reading).map(({ data }) => numberOf(data))).to.deep.equal([1, 2, 3, 4]);
  });

  describe('cannot be published to', () => {
    it('the callback of a message gets the error, and the stream goes on', async () => {
      broker.fail();
      const failed = await new Promise<WebSocketError>((resolve) => topic.write('text', resolve as never));
      expect(failed).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
      expect([topics.online, named()]).to.deep.equal([false, ['offline']]);
      broker.restore();
      expect(await new Promise((resolve) => topic.write('text', resolve))).to.equal(undefined);
      expect([topics.online, named()]).to.deep.equal([true, ['offline', 'online']]);
    });

    it('a pipeline into the topic rejects', async () => {
      broker.fail();
      const failed = await pipeline(Readable.from(['text']), topic).catch((error) => error);
      expect(failed).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
    });

    it('a stream without listeners does not end the process', async () => {
      broker.fail();
      topic.write('text');
      await new Promise((resolve) => topic.on('close', resolve));
      expect(topic.errored).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
    });

    it('messages are published again, once each and in order, if it recognizes them', async () => {
      open({}, { deduplicates: true });
      const member = await live();
      broker.loseAnswer();
      const published = publishNumbers(topic, 1, 3);
      await until(() => named().includes('offline'));
      await passUntil(published);
      broker.fail();
      const more = Promise.all(range(3, 50).map((i) => topic.publish(`${i}`)));
      await once(topics, 'offline');
      broker.restore();
      await passUntil(more);
      await passUntil(member.has(50));
      expect(member.received.map(numberOf)).to.deep.equal(range(0, 50));
    });

    it('messages are given up after publishTimeout', async () => {
      open({ publishTimeout: 5000 }, { deduplicates: true });
      broker.fail();
      const failed = topic.publish('text').catch((error) => error);
      const passed = await passUntil(failed);
      expect(await failed).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
      expect(passed).to.be.within(5000, 16_000);
    });

    it('a refused message fails at once, and the topics stay online', async () => {
      open({}, { deduplicates: true });
      broker.fail(new WebSocketError('WS_ERR_BROKER_REFUSED', 'full'));
      expect(await topic.publish('text').catch((error) => error)).to.include({ code: 'WS_ERR_BROKER_REFUSED' });
      expect(topics.online).to.equal(true);
    });

    it('a message that is too large for it is refused with both sizes', async () => {
      open({}, { maxMessageSize: 10 });
      expect(await topic.publish('é'.repeat(5))).to.be.a('string');
      const error = await topic.publish('é'.repeat(6)).catch((cause) => cause);
      expect(error).to.include({ code: 'WS_ERR_MESSAGE_TOO_BIG' });
      expect(error.message).to.match(/12 bytes; the broker takes 10/);
      expect(broker.calls.publish).to.equal(1);
    });

    it('what waits is told when the topics are closed', async () => {
      open({}, { deduplicates: true });
      broker.fail();
      const failed = topic.publish('text').catch((error) => error);
      await once(topics, 'offline');
      await topics.close();
      expect(await failed).to.include({ code: 'WS_ERR_NOT_OPEN' });
    });
  });

  describe('never answers', () => {
    it('messages are given up after publishTimeout, and later ones are published', async () => {
      open({ publishTimeout: 20_000 });
      broker.hang('publish');
      const failed = rejectionOf(topic.publish('text'));
      expect(await passUntil(failed)).to.equal(20_000);
      expect(await failed).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
      expect((await failed).message).to.include('no answer within 20000 ms');
      expect(named()).to.deep.equal(['offline']);
      broker.restore();
      expect(await topic.publish('text')).to.be.a('string');
      expect(named()).to.deep.equal(['offline', 'online']);
    });

    it('messages are given up that it would recognize, too', async () => {
      open({}, { deduplicates: true });
      broker.hang('publish');
      const failed = rejectionOf(topic.publish('text'));
      expect(await passUntil(failed)).to.equal(30_000);
      expect(await failed).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
      expect(broker.calls.publish).to.equal(1);
    });

    it('messages that wait for their turn are given up after those before them', async () => {
      broker.hang('publish');
      const failed = Promise.all(range(0, 300).map((i) => rejectionOf(topic.publish(`${i}`))));
      await passUntil(failed);
      for (const { code } of (await failed) as WebSocketError[]) expect(code).to.equal('WS_ERR_BROKER_UNAVAILABLE');
    });

    it('it has ten seconds if messages are published only once', async () => {
      open({ publishTimeout: 0 });
      broker.hang('publish');
      expect(await passUntil(rejectionOf(topic.publish('text')))).to.equal(10_000);
    });

    it('to what it has, members wait, and messages of this process do not', async () => {
      broker.hang('bounds');
      const member = testMember();
      members.push(member);
      topic.add(member.ws);
      const published = topic.publish('0');
      expect(await passUntil(published)).to.equal(30_000);
      expect(named()).to.deep.equal(['offline']);
      broker.restore();
      await passUntil(member.has(1));
      expect(topics.online).to.equal(true);
    });

    it('what is under way is told when the topics are closed', async () => {
      broker.hang('publish', 'bounds');
      const failed = rejectionOf(topic.publish('text'));
      await topics.close();
      expect(await failed).to.include({ code: 'WS_ERR_NOT_OPEN' });
    });

    it('a function of a driver that throws instead of rejecting is a failure like others', async () => {
      topics = new Topics({
        broker: (settings) => ({
          ...broker.driver(settings),
          publish() {
            throw new WebSocketError('WS_ERR_BROKER_REFUSED', 'thrown');
          },
        }),
      });
      expect(await rejectionOf(topics.topic('prices').publish('text'))).to.include({ code: 'WS_ERR_BROKER_REFUSED' });
    });
  });

  describe('fails in a way that time does not mend', () => {
    const failure = new WebSocketError('WS_ERR_BROKER_REFUSED', 'no permission');

    it("'error' is emitted for each failure, and topics are offline", async () => {
      const failed = once(topics, 'error');
      await live();
      broker.fail(failure);
      expect(await failed).to.deep.equal([failure]);
      expect(events).to.deep.equal([['offline', failure]]);
    });

    it('it is a process warning if nobody listens', async () => {
      await live();
      const warned = once(process, 'warning');
      broker.fail(failure);
      expect((await warned)[0]).to.include({ name: 'WebSocketWarning', code: 'WS_WARN_BROKER' });
    });
  });
});
