import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { memoryBroker, type Resumption, type Topic, type TopicMessage, Topics } from '../../lib/topics';
import { type BroadcastMessage, createPair, type Message, PreparedMessage } from '../../lib/webSocketHandler';
import { fakeBroker } from '../support/fakeBroker';
import { sparse } from '../support/sparseBroker';
import { thrownBy } from '../support/thrown';
import { numberOf, publishNumbers, range, type TestMember, testMember, until } from '../support/topicMembers';

const kilobyte = 'x'.repeat(1024);

describe('A topic', () => {
  let topics: Topics;
  let topic: Topic;
  let members: TestMember[];

  /** Options for the topics of one spec. */
  async function reopen(options: ConstructorParameters<typeof Topics>[0]): Promise<void> {
    await topics.close();
    topics = new Topics(options);
    topic = topics.topic('prices');
  }

  beforeEach(() => {
    topics = new Topics();
    topic = topics.topic('prices');
    members = [];
  });
  afterEach(async () => {
    await topics.close();
    for (const { client, ws } of members) {
      client.abort();
      ws.abort();
    }
  });

  function member(options?: Parameters<typeof testMember>[0]): TestMember {
    const made = testMember(options);
    members.push(made);
    return made;
  }

  describe('publishing', () => {
    it('sends what is written to all members, text as text and bytes as bytes', async () => {
      const all = [member(), member(), member()];
      for (const { ws } of all) topic.add(ws);
      const written = ['text', Buffer.of(1, 2), '', Buffer.alloc(0), 'é\u0000\u{1f600}', Buffer.from('text')];
      await pipeline(Readable.from(written), topics.topic('prices'));
      for (const { has } of all) expect(await has(written.length)).to.deep.equal(written);
    });

    it('takes every kind of message that a WebSocket takes', async () => {
      const { ws, has } = member();
      topic.add(ws);
      const kinds: BroadcastMessage[] = [
        new Uint16Array([1, 2]),
        new Uint8Array([1]).buffer,
        new PreparedMessage('prepared'),
        new PreparedMessage(Buffer.from('text of bytes'), { binary: false }),
        new PreparedMessage('bytes of text', { binary: true }),
      ];
      for (const message of kinds) topic.write(message);
      expect(await has(kinds.length)).to.deep.equal([
        Buffer.of(1, 0, 2, 0),
        Buffer.of(1),
        'prepared',
        'text of bytes',
        Buffer.from('bytes of text'),
      ]);
    });

    it('calls back when the broker has the message, which can then be read', async () => {
      const written = new Promise((resolve) => topic.write('text', resolve));
      expect(await written).to.equal(undefined);
      const [{ data, id }] = (await topic.since('start').take(1).toArray()) as [TopicMessage];
      expect(data).to.equal('text');
      expect(await topic.publish('more'))
        .to.match(/^\w+:2$/)
        .and.to.not.equal(id);
    });

    it('write(): a value that is no message fails its callback, and the stream goes on', async () => {
      const failed = new Promise<Error & { code?: string }>((resolve) => topic.write(1, resolve as never));
      expect((await failed).code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(await topic.publish('text')).to.be.a('string');
      expect(topic.writable).to.equal(true);
    });

    it('write(): without a callback, a value that is no message destroys this stream, and no other one', async () => {
      const other = topics.topic('prices');
      topic.write(1);
      expect((await once(topic, 'error'))[0].code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect([topic.destroyed, other.destroyed, topics.topic('prices').destroyed]).to.deep.equal([true, false, false]);
    });

    it('keeps its members when one of its streams ends', async () => {
      const { ws, has } = member();
      topic.add(ws);
      topic.end('first');
      await once(topic, 'finish');
      topics.topic('prices').write('second');
      expect(await has(2)).to.deep.equal(['first', 'second']);
    });

    it('holds back a writer that is faster than the members of its process are given messages', async () => {
      await reopen({ history: { messages: 8 } });
      const { ws, has } = member();
      topic.add(ws, { onResume: (outcome) => expect.fail(JSON.stringify(outcome)) });
      await pipeline(Readable.from(range(0, 500).map(String)), topic);
      expect((await has(500)).map(numberOf)).to.deep.equal(range(0, 500));
    });
  });

  describe('members', () => {
    it('add(): a WebSocket is a member once, until it is deleted or closes', async () => {
      const [one, other] = [member(), member()];
      expect(topic.add(one.ws).add(other.ws).add(one.ws)).to.equal(topic);
      expect([...topics.topic('prices').members]).to.deep.equal([one.ws, other.ws]);
      expect([topic.delete(one.ws), topic.delete(one.ws)]).to.deep.equal([true, false]);
      const closed = once(other.ws, 'close');
      other.client.end();
      await closed;
      expect(topic.members.size).to.equal(0);
      expect(one.ws.writable).to.equal(true);
      expect(one.ws.listenerCount('close')).to.equal(createPair()[0].listenerCount('close'));
    });

    it('add(): ignores a WebSocket that is closing', () => {
      const { ws } = member();
      ws.close();
      expect(topic.add(ws).members.size).to.equal(0);
    });

    it('a member can be in many topics, without a warning of listeners', async () => {
      const { ws, has } = member();
      for (const i of range(0, 20)) topics.topic(`topic ${i}`).add(ws);
      for (const i of range(0, 20)) topics.topic(`topic ${i}`).write(`${i}`);
      expect((await has(20)).map(numberOf).sort((a, b) => a - b)).to.deep.equal(range(0, 20));
    });

    it('gets what is published after add() was called, also in the same turn', async () => {
      await topic.publish('before');
      const { ws, has } = member();
      topic.add(ws);
      topic.write('after');
      expect(await has(1)).to.deep.equal(['after']);
    });

    it('encodes a message once for all members', async () => {
      let encodings = 0;
      const original = PreparedMessage.prototype.once;
      PreparedMessage.prototype.once = function once<T>(this: PreparedMessage, variant: string, make: () => T): T {
        return original.call(this, variant, () => {
          encodings++;
          return make();
        }) as T;
      };
      try {
        const all = range(0, 10).map(() => member());
        for (const { ws } of all) topic.add(ws);
        topic.write('text');
        for (const { has } of all) await has(1);
      } finally {
        PreparedMessage.prototype.once = original;
      }
      expect(encodings).to.equal(1);
    });

    it('leaves out members without binary messages if the message is binary', async () => {
      const [ws, client] = createPair({ version: 'draft76' });
      topic.add(ws.resume());
      topic.write(Buffer.of(1));
      topic.write('text');
      expect(await once(client, 'message')).to.deep.equal(['text', { binary: false }]);
      client.abort();
    });

    it('counts messages for a topic and for a member', async () => {
      const [one, other] = [member(), member()];
      topic.add(one.ws).add(other.ws);
      await publishNumbers(topic, 0, 3);
      await Promise.all([one.has(3), other.has(3)]);
      const counts = { sent: 3, dropped: 0, waiting: 0, catchingUp: false };
      expect(topic.stats(one.ws)).to.deep.equal(counts);
      expect(topic.stats(member().ws)).to.equal(undefined);
      topic.delete(one.ws);
      expect(topic.totals).to.deep.equal({
        published: 3,
        sent: 6,
        dropped: 0,
        waiting: 0,
        closed: 0,
        catchingUp: 0,
      });
    });

    it('format(): makes what is sent, once for all members with the same function', async () => {
      let made = 0;
      const format = ({ id, data }: TopicMessage) => {
        made++;
        return JSON.stringify({ id, data });
      };
      const [one, other, plain] = [member(), member(), member()];
      topic.add(one.ws, { format }).add(other.ws, { format }).add(plain.ws);
      const id = await topic.publish('text');
      for (const { has } of [one, other]) expect(await has(1)).to.deep.equal([JSON.stringify({ id, data: 'text' })]);
      expect(await plain.has(1)).to.deep.equal(['text']);
      expect(made).to.equal(1);
    });

    it('format(): destroys the members with what it throws, because their messages would not be complete', async () => {
      const [one, plain] = [member(), member()];
      const failure = new Error('no format');
      topic
        .add(one.ws, {
          format: () => {
            throw failure;
          },
        })
        .add(plain.ws);
      const failed = once(one.ws, 'error');
      topic.write('text');
      expect(await failed).to.deep.equal([failure]);
      expect(await plain.has(1)).to.deep.equal(['text']);
      expect([...topic.members]).to.deep.equal([plain.ws]);
    });
  });

  describe('after a cursor', () => {
    it('gives a member all messages behind it, and then the live ones', async () => {
      const ids = await publishNumbers(topic, 0, 50);
      const outcomes: Resumption[] = [];
      const { ws, has } = member();
      topic.add(ws, { after: ids[9], onResume: (outcome) => outcomes.push(outcome) });
      await publishNumbers(topic, 50, 60);
      expect((await has(50)).map(numberOf)).to.deep.equal(range(10, 60));
      expect(outcomes).to.deep.equal([{ recovered: true, after: ids[9] }]);
      expect(topic.stats(ws)).to.include({ sent: 50, catchingUp: false });
    });

    it('has no gap and no duplicate while others publish at full speed', async () => {
      await reopen({ history: { messages: 100_000 } });
      const count = 3000;
      const late: TestMember[] = [];
      const ids: string[] = [];
      const starts: number[] = [];
      const stopped = member({ reads: false });
      topic.add(stopped.ws);
      const writers = [topic, topics.topic('prices')].map(async (writer, w) => {
        for (let i = 0; i < count / 2; i++) {
          const id = await writer.publish(`${2 * i + w} ${kilobyte}`);
          ids[2 * i + w] = id;
          if (i % 100 !== 50) continue;
          const another = member();
          late.push(another);
          starts.push(Number(id.split(':')[1]));
          topic.add(another.ws, { after: id });
          await nextTurn();
        }
      });
      await Promise.all(writers);
      stopped.read();
      const offsets = new Map(ids.map((id, i) => [Number(id.split(':')[1]), i]));
      const order = range(1, count + 1).map((offset) => offsets.get(offset));
      expect((await stopped.has(count)).map(numberOf)).to.deep.equal(order);
      for (const [i, { has }] of late.entries())
        expect((await has(count - (starts[i] ?? 0))).map(numberOf)).to.deep.equal(order.slice(starts[i]));
      await until(() => topic.totals.catchingUp === 0);
      expect(late.length).to.equal(30);
    });

    it('asks the broker nothing for members that come back behind a recent message, at the same time or not', async () => {
      const broker = fakeBroker();
      await reopen({ broker: broker.driver });
      topic.add(member().ws);
      const ids = await publishNumbers(topic, 0, 100);
      const before = { ...broker.calls };
      const outcomes: Resumption[] = [];
      for (const after of [ids[10], ids[98], ids[99], ids[10]]) {
        const { ws, has } = member();
        topic.add(ws, { after, onResume: (outcome) => outcomes.push(outcome) });
        const first = ids.indexOf(`${after}`) + 1;
        expect((await has(100 - first)).map(numberOf)).to.deep.equal(range(first, 100));
      }
      await until(() => topic.totals.catchingUp === 0);
      expect(broker.calls).to.deep.equal(before);
      expect(outcomes.map(({ recovered }) => recovered)).to.deep.equal([true, true, true, true]);
    });

    it('asks the broker as often for many members as for two, if they come back at once to a process that does not read the topic', async () => {
      const broker = fakeBroker();
      await reopen({ broker: broker.driver });
      const ids = await publishNumbers(topic, 0, 100);
      const all = Array.from({ length: 20 }, () => member());
      for (const [i, { ws }] of all.entries()) topic.add(ws, { after: ids[49 - i] });
      for (const [i, { has }] of all.entries())
        expect((await has(50 + i)).map(numberOf)).to.deep.equal(range(50 - i, 100));
      // Once for the live messages, once for the member that was first, and once for all others.
      expect(broker.calls).to.include({ bounds: 3, read: 3 });
    });

    it('reads on from the broker where the recent messages are overtaken', async () => {
      const broker = fakeBroker();
      await reopen({ broker: broker.driver, history: { messages: 3000 } });
      topic.add(member().ws);
      const [first = ''] = await publishNumbers(topic, 0, 200, kilobyte);
      const slow = member({ reads: false });
      topic.add(slow.ws, { after: first });
      await until(() => slow.ws.writableNeedDrain);
      await publishNumbers(topic, 200, 2000, kilobyte);
      slow.read();
      expect((await slow.has(1999)).map(numberOf)).to.deep.equal(range(1, 2000));
      // The live messages are one read.
      expect(broker.calls.read).to.be.above(1);
    });

    it("'start': gives a member all messages that are kept; null: none of them", async () => {
      await reopen({ history: { messages: 10 } });
      await publishNumbers(topic, 0, 25);
      const [all, none] = [member(), member()];
      topic.add(all.ws, { after: 'start', onResume: () => expect.fail() }).add(none.ws, { after: null });
      expect((await all.has(10)).map(numberOf)).to.deep.equal(range(15, 25));
      topic.write('25');
      expect((await all.has(11)).map(numberOf)).to.deep.equal(range(15, 26));
      expect((await none.has(1)).map(numberOf)).to.deep.equal([25]);
    });

    it("'evicted': tells that messages behind the cursor were deleted, and goes on with the oldest", async () => {
      await reopen({ history: { messages: 10 } });
      const ids = await publishNumbers(topic, 0, 25);
      for (const [at, lost] of [
        [13, true],
        [14, false],
      ] as const) {
        const outcomes: Resumption[] = [];
        const { ws, has } = member();
        topic.add(ws, { after: ids[at], onResume: (outcome) => outcomes.push(outcome) });
        expect((await has(10)).map(numberOf)).to.deep.equal(range(15, 25));
        expect(outcomes).to.deep.equal([
          lost ? { recovered: false, lost: 'evicted', after: ids[at] } : { recovered: true, after: ids[at] },
        ]);
      }
    });

    it("'epoch': tells that a cursor is none of this log, whatever a client has sent as one", async () => {
      const [id = ''] = await publishNumbers(topic, 0, 1);
      const foreign = ['', 'other:1', `${id}0`, `${id}\u0000`, 'x'.repeat(100_000), ':', '__proto__', '-1'];
      for (const after of foreign) {
        const outcomes: Resumption[] = [];
        const { ws, has } = member();
        topic.add(ws, { after, onResume: (outcome) => outcomes.push(outcome) });
        expect((await has(1)).map(numberOf)).to.deep.equal([0]);
        expect(outcomes).to.deep.equal([{ recovered: false, lost: 'epoch', after }]);
      }
    });

    it('stops giving when the member is deleted or closes while it reads history', async () => {
      await publishNumbers(topic, 0, 500, kilobyte);
      const [deleted, closed] = [member({ reads: false }), member({ reads: false })];
      topic.add(deleted.ws, { after: 'start' }).add(closed.ws, { after: 'start' });
      await until(() => [deleted, closed].every(({ ws }) => (topic.stats(ws)?.sent ?? 0) > 0));
      closed.client.abort();
      await closed.ws.whenClosed();
      const { sent = 0 } = topic.stats(deleted.ws) ?? {};
      topic.delete(deleted.ws);
      deleted.read();
      deleted.ws.end();
      expect((await deleted.has(sent)).length).to.equal(sent);
      expect(topic.totals).to.include({ catchingUp: 0 });
      expect(topic.members.size).to.equal(0);
    });
  });

  describe('since()', () => {
    it('gives id, data and binary of the messages after a cursor, and then those to come', async () => {
      const ids = await publishNumbers(topic, 0, 5);
      const reading = topic.since(ids[2]).take(4).toArray();
      const last = await topic.publish(Buffer.of(1));
      await topic.publish('last');
      expect((await reading).slice(0, 3)).to.deep.equal([
        { id: ids[3], data: '3 ', binary: false },
        { id: ids[4], data: '4 ', binary: false },
        { id: last, data: Buffer.of(1), binary: true },
      ]);
    });

    it('without a cursor, gives those that are published from the call on', async () => {
      await topic.publish('before');
      const messages = topic.since();
      await topic.publish('after');
      expect(((await messages.take(1).toArray()) as TopicMessage[])[0]?.data).to.equal('after');
    });

    it('ends with WS_ERR_TOPIC_LOST where a message is missing', async () => {
      await reopen({ history: { messages: 10 } });
      const ids = await publishNumbers(topic, 0, 25);
      const failure = await topic
        .since(ids[3])
        .toArray()
        .catch((error) => error);
      expect(failure).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'evicted' });
    });

    it('tells a reader that is so slow that messages are deleted before it reads them', async () => {
      await reopen({ history: { messages: 50 } });
      const read: number[] = [];
      const reading = (async () => {
        for await (const { data } of topic.since('start')) {
          read.push(numberOf(data));
          if (read.length === 10) await publishNumbers(topic, 10, 500);
        }
      })();
      await publishNumbers(topic, 0, 10);
      const failure = await reading.catch((error) => error);
      expect(failure).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'evicted' });
      expect(read).to.deep.equal(range(0, read.length));
    });

    it('is ended by its signal, and by leaving the loop', async () => {
      const controller = new AbortController();
      const waiting = topic.since(null, { signal: controller.signal }).toArray();
      controller.abort(new Error('enough'));
      const error = await waiting.catch((cause) => cause);
      expect(error).to.include({ name: 'AbortError', code: 'WS_ERR_ABORTED' });
      await topic.publish('text');
      const messages = topic.since('start');
      for await (const { data } of messages) {
        expect(data).to.equal('text');
        break;
      }
      expect(messages.destroyed).to.equal(true);
    });
  });

  describe('arguments', () => {
    it('checks names, which clients may choose', () => {
      for (const name of [
        '',
        'x'.repeat(201),
        'é'.repeat(101),
        'a\u0000',
        'a\u001f',
        '\n',
        '\ud800',
        1,
        null,
        undefined,
      ])
        for (const use of [
          () => topics.topic(name as string),
          () => topics.join(name as string),
          () => topics.presence(name as string),
        ])
          expect(thrownBy(use)).to.include({ code: 'WS_ERR_INVALID_ARGUMENT' });
      for (const name of [' ', '.', '*', '>', 'a/b', 'a:b', 'x'.repeat(200), '__proto__', '\u{1f600}'])
        expect(topics.topic(name).name).to.equal(name);
    });

    it('no name reaches the topic of another name', async () => {
      const names = ['a', 'A', 'a ', 'a.b', 'a*', '*', '__proto__', 'constructor'];
      const all = names.map((name) => ({ name, made: member() }));
      for (const { name, made } of all) topics.topic(name).add(made.ws);
      for (const name of names) await topics.topic(name).publish(name);
      for (const { name, made } of all) expect(await made.has(1)).to.deep.equal([name]);
    });

    const mistakes: Record<string, [use: () => unknown, complaint: RegExp]> = {
      "the policy 'wait'": [
        () => topic.add(member().ws, { policy: 'wait' as never }),
        /'wait' would let one member hold up all others/,
      ],
      'a policy that there is not': [
        () => topic.add(member().ws, { policy: 'drop' as never }),
        /policy must be 'catch-up', 'drop-oldest', 'keep-latest' or 'close', not 'drop'/,
      ],
      'a member that is no WebSocket': [
        () => topic.add(new PassThrough() as never),
        /a member must be a WebSocket, not an instance of PassThrough/,
      ],
      'a misspelt option': [
        () => topic.add(member().ws, { afer: '1' } as never),
        /unknown option afer; did you mean after/,
      ],
      'a cursor that is no string': [
        () => topic.add(member().ws, { after: 1 as never }),
        /option after must be a cursor/,
      ],
      'a format that is no function': [
        () => topic.add(member().ws, { format: '' as never }),
        /format must be a function/,
      ],
      'a code that cannot be sent': [() => topic.add(member().ws, { code: 1006 }), /option code must be a close code/],
      'a policy for join()': [() => topics.join('a', { policy: 'close' } as never), /a stream always catches up/],
      'a signal that is none': [() => topic.since('start', { signal: 1 as never }), /signal must be an AbortSignal/],
      'a broker that is no function': [() => new Topics({ broker: {} as never }), /option broker must be a driver/],
      'a history without messages': [
        () => new Topics({ history: { messages: 0 } }),
        /history.messages must be a positive/,
      ],
      'an unknown limit': [() => new Topics({ history: { age: 1 } as never }), /unknown option history.age/],
    };
    for (const [what, [use, complaint]] of Object.entries(mistakes))
      it(`refuses ${what}`, () => {
        expect(thrownBy(use)).to.include({ code: 'WS_ERR_INVALID_ARGUMENT' });
        expect(thrownBy(use).message).to.match(complaint);
      });
  });

  describe('close()', () => {
    it('ends everything, and leaves WebSockets open', async () => {
      const { ws } = member();
      topic.add(ws);
      const since = topic.since();
      const failed = once(since, 'error');
      await Promise.all([topics.close(), topics.close()]);
      expect((await failed)[0]).to.include({ code: 'WS_ERR_NOT_OPEN' });
      expect(topic.members.size).to.equal(0);
      expect(ws.writable).to.equal(true);
      for (const use of [() => topics.topic('a'), () => topics.join('a'), () => topics.presence('a')])
        expect(thrownBy(use)).to.include({ code: 'WS_ERR_NOT_OPEN' });
      expect(await topic.publish('text').catch((error) => error)).to.include({ code: 'WS_ERR_NOT_OPEN' });
      topic.add(ws);
      expect(topic.members.size).to.equal(0);
      await topics[Symbol.asyncDispose]();
    });
  });
});

const received = (messages: readonly Message[]) => messages.map(numberOf);

describe('The policies of a topic', () => {
  let topics: Topics;
  let topic: Topic;
  beforeEach(() => {
    topics = new Topics({ history: { messages: 2000 } });
    topic = topics.topic('prices');
  });
  afterEach(() => topics.close());

  it("'catch-up': a member that does not read loses nothing within the history, and holds up nobody", async () => {
    const [slow, fast] = [testMember({ reads: false }), testMember()];
    topic.add(slow.ws).add(fast.ws);
    await publishNumbers(topic, 0, 1000, kilobyte);
    expect(received(await fast.has(1000))).to.deep.equal(range(0, 1000));
    expect(topic.stats(slow.ws)).to.include({ catchingUp: true, waiting: 0, dropped: 0 });
    expect(slow.ws.bufferedAmount).to.be.below(100 * 1024);
    slow.read();
    expect(received(await slow.has(1000))).to.deep.equal(range(0, 1000));
    await until(() => topic.stats(slow.ws)?.catchingUp === false);
    await publishNumbers(topic, 1000, 1010);
    expect(received(await slow.has(1010)).slice(1000)).to.deep.equal(range(1000, 1010));
    for (const { client } of [slow, fast]) client.abort();
  });

  it("'catch-up': goes on behind the last message that it was given, where the offsets of a topic have gaps", async () => {
    const outcomes: Resumption[] = [];
    const gappy = new Topics({ broker: sparse(memoryBroker()), history: { messages: 2000 } });
    const slow = testMember({ reads: false });
    const prices = gappy.topic('prices').add(slow.ws, { onResume: (outcome) => outcomes.push(outcome) });
    await publishNumbers(prices, 0, 1000, kilobyte);
    expect(prices.stats(slow.ws)).to.include({ catchingUp: true });
    slow.read();
    expect(received(await slow.has(1000))).to.deep.equal(range(0, 1000));
    expect(outcomes).to.deep.equal([]);
    slow.client.abort();
    await gappy.close();
  });

  it("'catch-up': tells a member that has not read for so long that its messages were deleted", async () => {
    const outcomes: Resumption[] = [];
    const slow = testMember({ reads: false });
    topic.add(slow.ws, { onResume: (outcome) => outcomes.push(outcome) });
    await publishNumbers(topic, 0, 4000, kilobyte);
    slow.read();
    await until(() => numberOf(slow.received.at(-1) ?? '0') === 3999);
    const numbers = received(slow.received);
    const gap = numbers.findIndex((n, i) => n !== i);
    expect(outcomes.map(({ lost }) => lost)).to.deep.equal(['evicted']);
    expect(numbers.slice(0, gap)).to.deep.equal(range(0, gap));
    expect(numbers.slice(gap)).to.deep.equal(range(2000, 4000));
    slow.client.abort();
  });

  it("'drop-oldest': drops the oldest of the messages that wait for a member", async () => {
    const slow = testMember({ reads: false });
    topic.add(slow.ws, { policy: 'drop-oldest', limit: 3 });
    await publishNumbers(topic, 0, 1000, kilobyte);
    const { sent = 0, waiting, dropped } = topic.stats(slow.ws) ?? {};
    expect([waiting, dropped]).to.deep.equal([3, 1000 - 3 - sent]);
    slow.read();
    const numbers = received(await slow.has(sent + 3));
    expect(numbers).to.deep.equal([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.slice(-3)).to.deep.equal([997, 998, 999]);
    slow.client.abort();
  });

  it("'keep-latest': keeps the latest message of each key, which is made of the id and the data", async () => {
    const slow = testMember({ reads: false });
    topic.add(slow.ws, { policy: 'keep-latest', key: ({ data }) => numberOf(data) % 3 });
    await publishNumbers(topic, 0, 1000, kilobyte);
    const { sent = 0 } = topic.stats(slow.ws) ?? {};
    slow.read();
    await slow.has(sent + 3);
    expect(received(slow.received).slice(sent).sort()).to.deep.equal([997, 998, 999]);
    slow.client.abort();
  });

  it("'close': closes a member for which too much waits", async () => {
    const slow = testMember({ reads: false });
    topic.add(slow.ws, { policy: 'close', code: 4000, reason: 'too slow' });
    await publishNumbers(topic, 0, 1000, kilobyte);
    expect(topic.members.size).to.equal(0);
    expect(topic.totals).to.include({ closed: 1 });
    slow.read();
    const ended = once(slow.client, 'error');
    expect((await ended)[0]).to.include({ closeCode: 4000 });
  });

  it('serves the others of 1,000 members while 50 do not read, and keeps memory bounded', async () => {
    const stopped = range(0, 50).map(() => testMember({ reads: false }));
    const others = range(0, 950).map(() => testMember());
    const all = [...stopped, ...others];
    for (const { ws } of all) topic.add(ws);
    const count = 60;
    await publishNumbers(topic, 0, count, kilobyte.repeat(4));
    for (const { has } of others) await has(count);
    for (const { ws } of stopped) expect(ws.bufferedAmount).to.be.below(100 * 1024);
    expect(topic.totals).to.include({ waiting: 0, catchingUp: 50, dropped: 0 });
    for (const { read } of stopped) read();
    for (const { has } of all) expect(received(await has(count))).to.deep.equal(range(0, count));
    for (const { client } of all) client.abort();
  });
});
