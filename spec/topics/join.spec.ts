import { once } from 'node:events';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { type Resumption, type TopicMessage, Topics } from '../../lib/topics';
import { connect, type Message, type WebSocket } from '../../lib/webSocketHandler';
import { fakeBroker } from '../support/fakeBroker';
import { listen } from '../support/http';
import { numberOf, publishNumbers, range, type TestMember, testMember, until } from '../support/topicMembers';

const kilobyte = 'x'.repeat(1024);

describe('topics.join()', () => {
  let topics: Topics;
  let members: TestMember[];
  beforeEach(() => {
    topics = new Topics();
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

  it('ws.pipe(topics.join()).pipe(ws) is a chat, and a member that ends its WebSocket leaves it', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.pipe(topics.join('lobby')).pipe(ws);
    });
    const [one, other] = [1, 2].map(() => connect(`ws://127.0.0.1:${server.port}/`)) as [WebSocket, WebSocket];
    await Promise.all([once(one, 'open'), once(other, 'open')]);
    const received = [one, other].map(async (ws) => (await once(ws, 'message'))[0]);
    one.write('hello');
    expect(await Promise.all(received)).to.deep.equal(['hello', 'hello']);
    const bytes = Promise.all([once(one, 'message'), once(other, 'message')]);
    other.write(Buffer.of(1));
    expect(await bytes).to.deep.equal(Array(2).fill([Buffer.of(1), { binary: true }]));
    one.end();
    expect(await one.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    const alone = once(other, 'message');
    other.write('still here');
    expect((await alone)[0]).to.equal('still here');
    other.end();
    expect((await other.whenClosed()).code).to.equal(1000);
  });

  it('gives messages to a pipeline, text as strings and bytes as Buffers', async () => {
    const joined = topics.join('lobby');
    const read = (joined as Readable).take(3).toArray();
    await pipeline(Readable.from(['text', Buffer.of(1), '']), topics.topic('lobby'));
    expect(await read).to.deep.equal(['text', Buffer.of(1), '']);
  });

  it('end(): publishes what was written, leaves, and ends the readable side', async () => {
    const [one, other] = [topics.join('lobby'), topics.join('lobby')];
    const read = (other as Readable).take(100).toArray();
    for (const i of range(0, 100)) one.write(`${i}`);
    one.end();
    await finished(one.resume());
    expect((await read).map(numberOf)).to.deep.equal(range(0, 100));
    await topics.topic('lobby').publish('nobody');
    expect(one.destroyed).to.equal(true);
  });

  it('the callback of write() means that the broker has the message', async () => {
    const joined = topics.join('lobby');
    expect(await new Promise((resolve) => joined.write('text', resolve))).to.equal(undefined);
    expect(((await topics.topic('lobby').since('start').take(1).toArray()) as TopicMessage[])[0]?.data).to.equal(
      'text',
    );
  });

  it('after, format and onResume are those of add()', async () => {
    const ids = await publishNumbers(topics.topic('lobby'), 0, 5);
    const outcomes: Resumption[] = [];
    const options = {
      after: ids[2],
      format: ({ id, data }: TopicMessage) => `${id} ${data}`,
      onResume: (outcome: Resumption) => outcomes.push(outcome),
    };
    const read = await (topics.join('lobby', options) as Readable).take(2).toArray();
    expect(read).to.deep.equal([`${ids[3]} 3 `, `${ids[4]} 4 `]);
    expect(outcomes).to.deep.equal([{ recovered: true, after: ids[2] }]);
  });

  it('a reader that pauses loses nothing within the history, and only a few messages wait for it', async () => {
    const joined = topics.join('lobby');
    const topic = topics.topic('lobby');
    await publishNumbers(topic, 0, 500, kilobyte);
    expect(joined.readableLength).to.be.at.most(16);
    const numbers: number[] = [];
    joined.on('data', (message: Message) => numbers.push(numberOf(message)));
    await until(() => numbers.length === 500);
    await publishNumbers(topic, 500, 510);
    await until(() => numbers.length === 510);
    expect(numbers).to.deep.equal(range(0, 510));
  });

  it('a reader that pauses is not given more than a mebibyte of large messages', async () => {
    const joined = topics.join('lobby');
    await publishNumbers(topics.topic('lobby'), 0, 10, kilobyte.repeat(512));
    expect(joined.readableLength).to.equal(2);
    const read = await (joined as Readable).take(10).toArray();
    expect(read.map(numberOf)).to.deep.equal(range(0, 10));
  });

  it('a WebSocket whose client does not read catches up when it reads', async () => {
    const slow = member({ reads: false });
    slow.ws.pipe(topics.join('lobby')).pipe(slow.ws);
    await publishNumbers(topics.topic('lobby'), 0, 500, kilobyte);
    slow.read();
    expect((await slow.has(500)).map(numberOf)).to.deep.equal(range(0, 500));
  });

  describe('a member leaves', () => {
    const isIn = async () => {
      const { length } = await topics.presence('lobby').list();
      return length === 1;
    };

    for (const [what, pipes] of Object.entries({
      'that is piped into it and out of it': (ws: WebSocket, joined: ReturnType<Topics['join']>) =>
        ws.pipe(joined).pipe(ws),
      'that is piped into it': (ws: WebSocket, joined: ReturnType<Topics['join']>) => ws.pipe(joined),
      'that it is piped into': (ws: WebSocket, joined: ReturnType<Topics['join']>) => joined.pipe(ws),
    }))
      it(`when a WebSocket ${what} is lost`, async () => {
        const { ws, client } = member();
        const joined = topics.join('lobby', { presence: 'somebody' });
        ws.on('error', () => {});
        pipes(ws, joined);
        expect(await isIn()).to.equal(true);
        const closed = once(joined, 'close');
        client.abort();
        await closed;
        expect(await isIn()).to.equal(false);
        expect(joined.errored).to.equal(null);
      });

    it('after what a lost WebSocket has sent was published', async () => {
      const { ws, client } = member();
      ws.on('error', () => {});
      const joined = topics.join('lobby');
      joined.cork();
      ws.pipe(joined);
      client.write('last words');
      await until(() => joined.writableLength === 1);
      client.abort();
      await ws.whenClosed();
      const since = (await topics.topic('lobby').since('start').take(1).toArray()) as TopicMessage[];
      expect(since[0]?.data).to.equal('last words');
    });

    it('when it is destroyed, or ended while nobody reads it', async () => {
      const joined = topics.join('lobby', { presence: 'somebody' });
      expect(await isIn()).to.equal(true);
      joined.destroy();
      expect(await isIn()).to.equal(false);
      const other = topics.join('lobby', { presence: 'somebody' });
      other.end();
      await once(other, 'finish');
      expect(await isIn()).to.equal(false);
    });
  });

  it('keeps no listener on a WebSocket that is unpiped', () => {
    const { ws } = member();
    const before = ws.listenerCount('close');
    const joined = topics.join('lobby');
    ws.pipe(joined).pipe(ws);
    expect(ws.listenerCount('close')).to.be.above(before);
    ws.unpipe(joined);
    joined.unpipe(ws);
    expect(ws.listenerCount('close')).to.equal(before);
    joined.destroy();
  });

  it('if a message cannot be published, destroys the WebSockets that are piped into it or out of it', async () => {
    const broker = fakeBroker();
    const others = new Topics({ broker: broker.driver });
    const { ws, client } = member();
    const joined = others.join('lobby');
    ws.pipe(joined).pipe(ws);
    await nextTurn();
    broker.fail();
    const failed = once(ws, 'error');
    client.write('lost');
    expect((await failed)[0]).to.include({ code: 'WS_ERR_BROKER_UNAVAILABLE' });
    expect((await client.whenClosed()).code).to.equal(1011);
    await others.close();
  });

  it('topics.close(): destroys it and its WebSockets with WS_ERR_NOT_OPEN', async () => {
    const { ws } = member();
    const joined = topics.join('lobby');
    ws.pipe(joined).pipe(ws);
    const failed = Promise.all([once(joined, 'error'), once(ws, 'error')]);
    await topics.close();
    for (const [error] of await failed) expect(error).to.include({ code: 'WS_ERR_NOT_OPEN' });
  });
});
