import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import {
  BroadcastStream,
  type BroadcastStreamOptions,
  connect,
  createPair,
  type Message,
  PreparedMessage,
  type WebSocket,
} from '../../lib/webSocketHandler';
import { retainedBytes } from '../support/garbage';
import { listen } from '../support/http';
import { thrownBy } from '../support/thrown';

const kilobyte = 'x'.repeat(1024);

/** More than fits between a writer and a reader that has stopped. */
const flood = Array.from({ length: 200 }, (_, i) => `${i} ${kilobyte}`);

const numberOf = (message: Message) => Number.parseInt(message.toString(), 10);

/** A member, and the client at its other end, which does not read until it is told to. */
function stopped(): { member: WebSocket; client: WebSocket; read(): Promise<number[]> } {
  const [member, client] = createPair();
  member.resume();
  return { member, client, read: async () => ((await client.toArray()) as Message[]).map(numberOf) };
}

/** Writes all of it, as fast as the stream takes it. */
async function writeAll(all: BroadcastStream, messages: Iterable<Message>): Promise<void> {
  for (const message of messages) if (!all.write(message)) await once(all, 'drain');
}

/**
 * Writes until a member lags for good, which takes as much as fits between it and its client, and a turn of the event loop for
 * each step of the way. Returns how many messages its WebSocket has taken.
 */
async function makeLag(all: BroadcastStream, member: WebSocket): Promise<number> {
  let lags = false;
  all.on('lagging', (webSocket) => {
    lags ||= webSocket === member;
  });
  all.on('caughtUp', (webSocket) => {
    lags &&= webSocket !== member;
  });
  for (const message of flood) {
    if (lags) break;
    all.write(message);
    for (let i = 0; i < 10; i++) await nextTurn();
  }
  expect(lags).to.equal(true);
  return all.stats(member)?.sent ?? 0;
}

/** The numbers from one to below another. */
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('A BroadcastStream', () => {
  it('writes each chunk to all members', async () => {
    const all = new BroadcastStream();
    const pairs = [createPair(), createPair(), createPair({ version: 'draft03' })];
    for (const [member] of pairs) all.add(member.resume());
    await pipeline(Readable.from(['text', Buffer.of(1, 2), '', new PreparedMessage('prepared')]), all);
    for (const [member, client] of pairs) {
      member.end();
      expect(await client.toArray()).to.deep.equal(['text', Buffer.of(1, 2), '', 'prepared']);
    }
  });

  it('writes messages that members pipe into it to all members: a chat', async () => {
    const room = new BroadcastStream();
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      room.add(ws);
      ws.pipe(room, { end: false });
    });
    const [one, other] = [1, 2].map(() => connect(`ws://127.0.0.1:${server.port}/`)) as [WebSocket, WebSocket];
    await Promise.all([once(one, 'open'), once(other, 'open')]);
    one.write('hello');
    expect(await Promise.all([once(one, 'message'), once(other, 'message')])).to.deep.equal(
      Array(2).fill(['hello', { binary: false }]),
    );
    one.end();
    await one.whenClosed();
    expect(room.writable).to.equal(true);
    other.end();
    await other.whenClosed();
  });

  it('encodes a message once for all members with the same version and extensions', async () => {
    const all = new BroadcastStream();
    const pairs = [createPair(), createPair()];
    for (const [member] of pairs) all.add(member.resume());
    const message = new PreparedMessage('text');
    let made = 0;
    const onceFor = message.once;
    message.once = (variant, make) =>
      onceFor.call(message, variant, () => {
        made++;
        return make();
      }) as ReturnType<typeof make>;
    all.write(message);
    expect(made).to.equal(1);
    for (const [, client] of pairs) {
      await once(client, 'message');
      client.abort();
    }
  });

  it('members: has each member once until it is deleted or closes', async () => {
    const all = new BroadcastStream();
    const { members } = all;
    const [one, other] = [createPair(), createPair()];
    expect(all.add(one[0]).add(other[0]).add(one[0])).to.equal(all);
    expect([...members]).to.deep.equal([one[0], other[0]]);
    expect([all.delete(one[0]), all.delete(one[0])]).to.deep.equal([true, false]);
    expect([...members]).to.deep.equal([other[0]]);
    const closed = once(other[0].resume(), 'close');
    other[1].resume().end();
    await closed;
    expect(members.size).to.equal(0);
    one[1].abort();
  });

  it('add(): ignores a WebSocket that is closing or closed', async () => {
    const [[closing, client], [closed, gone]] = [createPair(), createPair()];
    closing.resume().end();
    gone.abort();
    await closed.resume().whenClosed();
    const all = new BroadcastStream().add(closing).add(closed);
    expect(all.members.size).to.equal(0);
    await client.resume().whenClosed();
  });

  it('writes no message to a member that is closing', async () => {
    const all = new BroadcastStream();
    const [member, client] = createPair();
    all.add(member.resume());
    all.write('before');
    member.end();
    all.write('after');
    expect(all.members.size).to.equal(0);
    expect(await client.toArray()).to.deep.equal(['before']);
  });

  it('leaves out members without binary messages if the message is binary', async () => {
    const all = new BroadcastStream();
    const [member, client] = createPair({ version: 'draft76' });
    all.add(member.resume());
    all.write(Buffer.of(1));
    all.write('text');
    member.end();
    expect(await client.toArray()).to.deep.equal(['text']);
    expect(all.totals).to.deep.equal({ sent: 1, dropped: 0, waiting: 0, closed: 0 });
  });

  it('leaves its members open when it ends, and has no members after that', async () => {
    for (const end of [(all: BroadcastStream) => all.end('last'), (all: BroadcastStream) => all.destroy()]) {
      const all = new BroadcastStream();
      const [member, client] = createPair();
      all.add(member.resume());
      end(all);
      await once(all, 'close');
      expect(all.members.size).to.equal(0);
      all.add(member);
      expect(all.members.size).to.equal(0);
      member.end('still open');
      expect(((await client.toArray()) as Message[]).at(-1)).to.equal('still open');
    }
  });

  it('is destroyed by a value that is no message', async () => {
    const all = new BroadcastStream();
    const failure = once(all, 'error');
    all.write(1);
    expect((await failure)[0].code).to.equal('WS_ERR_INVALID_ARGUMENT');
  });

  it('refuses a member that is no WebSocket', () => {
    const error = thrownBy(() => new BroadcastStream().add(new PassThrough() as never));
    expect([error.code, error.message]).to.deep.equal([
      'WS_ERR_INVALID_ARGUMENT',
      'An argument is invalid: a member must be a WebSocket, not an instance of PassThrough',
    ]);
  });

  const mistakes: Record<string, [options: object, complaint: RegExp]> = {
    'a policy that there is not': [{ policy: 'drop' }, /option policy must be 'wait', 'drop-oldest', 'keep-latest' or/],
    'a limit that is no number': [{ limit: '16' }, /option limit must be a number of messages/],
    'a key that is no function': [{ key: 'id' }, /option key must be a function/],
    'a code that cannot be sent': [{ code: 1006 }, /option code must be a close code/],
    'a reason that is too long': [{ reason: 'x'.repeat(124) }, /option reason must be a string/],
    'no options object': [null as never, /options must be an object/],
  };
  for (const [what, [options, complaint]] of Object.entries(mistakes)) {
    it(`refuses ${what}`, () => {
      const error = thrownBy(() => new BroadcastStream(options as BroadcastStreamOptions));
      expect([error.code, complaint.test(error.message)]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
    });
  }

  it('adds no listeners to a WebSocket that is a member of many streams', () => {
    const [member, client] = createPair();
    const count = () => member.eventNames().reduce((sum, name) => sum + member.listenerCount(name), 0);
    const before = count();
    const rooms = range(0, 100).map(() => new BroadcastStream().add(member));
    expect(count()).to.equal(before);
    for (const room of rooms) room.delete(member);
    expect(count()).to.equal(before);
    client.abort();
  });

  afterEach(() => mock.timers.reset());

  it('does not delay the Close frame with which a member answers its peer', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest' });
    const { member, client } = stopped();
    all.add(member);
    await makeLag(all, member);
    // A WebSocket that took the BroadcastStream for its writer would wait for it until a deadline, and no deadline comes here.
    mock.timers.enable({ apis: ['setTimeout'] });
    client.resume().end();
    await client.whenClosed();
    expect(client.wasClean).to.equal(true);
  });
});

describe('A member that lags', () => {
  const policies: readonly BroadcastStreamOptions[] = [
    { policy: 'wait' },
    { policy: 'drop-oldest' },
    { policy: 'keep-latest' },
    { policy: 'close' },
  ];
  for (const options of policies) {
    const { policy } = options;

    it(`emits 'lagging' and 'caughtUp': ${policy}`, async () => {
      const all = new BroadcastStream(options);
      const { member, read } = stopped();
      all.add(member);
      const lagging = once(all, 'lagging');
      await makeLag(all, member);
      expect(await lagging).to.deep.equal([member]);
      const caughtUp = once(all, 'caughtUp');
      all.once('caughtUp', () => expect(member.writableLength).to.equal(0));
      const numbers = read();
      expect(await caughtUp).to.deep.equal([member]);
      member.end();
      await numbers;
    });

    it(`can be deleted together with its waiting messages: ${policy}`, async () => {
      const all = new BroadcastStream(options);
      const { member, read } = stopped();
      all.add(member);
      const sent = await makeLag(all, member);
      all.write('-1');
      all.delete(member);
      await new Promise((done) => all.end(done));
      expect(all.stats(member)).to.equal(undefined);
      member.end('-2');
      expect(await read()).to.deep.equal([...range(0, sent), -2]);
    });

    it(`is removed when its connection is lost, and delays no other member: ${policy}`, async () => {
      const all = new BroadcastStream(options);
      const { member, client } = stopped();
      const [other, reader] = createPair();
      all.add(member).add(other.resume());
      const heard = reader.toArray();
      await makeLag(all, member);
      all.on('caughtUp', (webSocket) => expect(webSocket).not.to.equal(member));
      const written = writeAll(all, ['-1', '-2']);
      client.abort();
      await written;
      await new Promise((done) => all.end(done));
      await member.whenClosed();
      expect(all.members.has(member)).to.equal(false);
      other.end();
      expect(((await heard) as Message[]).slice(-2)).to.deep.equal(['-1', '-2']);
    });

    it(`is not a member that reads, also during a burst of messages: ${policy}`, async () => {
      await using server = await listen((_request, response) =>
        all.add(response.webSocket?.connect().resume() as WebSocket),
      );
      const all = new BroadcastStream(options);
      const client = connect(`ws://127.0.0.1:${server.port}/`);
      await once(client, 'open');
      const heard = client.toArray();
      for (const message of flood) all.write(message);
      await new Promise((done) => all.end(done));
      expect(all.totals).to.deep.equal({ sent: flood.length, dropped: 0, waiting: 0, closed: 0 });
      await server.handle.close();
      expect(await heard).to.deep.equal(flood);
    });

    it(`costs no more memory than its limit, also over 10,000 messages: ${policy}`, async () => {
      const all = new BroadcastStream(options);
      const { member, client } = stopped();
      all.add(member);
      await makeLag(all, member);
      const before = await retainedBytes();
      let written = 0;
      const source = Readable.from(
        (function* () {
          while (written < 10_000) yield `${written++} ${kilobyte}`;
        })(),
        { highWaterMark: 1 },
      );
      const ended = once(source.pipe(all), 'finish');
      if (policy === 'wait') await nextTurn();
      else await ended;
      expect((await retainedBytes()) - before).to.be.below(300_000);
      expect(written).to.satisfy((count: number) => (policy === 'wait' ? count < 10 : count === 10_000));
      client.abort();
      await ended;
    });
  }
});

describe('The policy wait', () => {
  it('holds the writer back until the slowest member has caught up, and loses no message', async () => {
    const all = new BroadcastStream();
    const { member, client } = stopped();
    const [other, reader] = createPair();
    all.add(member).add(other.resume());
    const ready = reader.toArray();
    let read = 0;
    const source = Readable.from(flood).on('data', () => read++);
    const done = pipeline(source, all);
    await once(all, 'lagging');
    const held = read;
    await nextTurn();
    expect(read).to.equal(held).and.to.be.below(flood.length);
    const slow = client.toArray();
    await done;
    for (const ws of [member, other]) ws.end();
    expect(await Promise.all([slow, ready])).to.deep.equal([flood, flood]);
    expect(all.totals).to.deep.equal({ sent: 2 * flood.length, dropped: 0, waiting: 0, closed: 0 });
  });

  it('waits for the last of several lagging members', async () => {
    const all = new BroadcastStream();
    const [one, other] = [stopped(), stopped()];
    all.add(one.member).add(other.member);
    const sent = await makeLag(all, one.member);
    all.write('-1');
    const caughtUp = once(all, 'caughtUp');
    one.client.resume();
    expect(await caughtUp).to.deep.equal([one.member]);
    for (let i = 0; i < 10; i++) await nextTurn();
    expect(all.stats(one.member)?.sent).to.equal(sent);
    other.client.resume();
    await new Promise((done) => all.end(done));
    expect(all.totals.sent).to.equal(2 * sent + 2);
    for (const { client } of [one, other]) client.abort();
  });

  it('does not wait for a member that was ended and has sent all its messages', async () => {
    const all = new BroadcastStream();
    const { member, read } = stopped();
    all.add(member);
    const sent = await makeLag(all, member);
    const written = new Promise((done) => all.write('-1', done));
    member.end();
    expect(await read()).to.deep.equal(range(0, sent));
    await written;
  });

  it('does not wait after the stream was destroyed', async () => {
    const all = new BroadcastStream();
    const { member, client } = stopped();
    all.add(member);
    await makeLag(all, member);
    all.destroy();
    await once(all, 'close');
    expect(all.members.size).to.equal(0);
    client.abort();
  });
});

describe('The policy drop-oldest', () => {
  it('keeps the latest messages for a lagging member, up to limit', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest', limit: 3 });
    const { member, read } = stopped();
    const dropped: unknown[] = [];
    all.add(member).on('drop', (webSocket, message) => dropped.push(webSocket, message));
    const sent = await makeLag(all, member);
    await writeAll(all, ['-1', '-2', '-3', '-4', '-5']);
    expect(dropped).to.deep.equal([member, '-1', member, '-2']);
    expect(all.stats(member)).to.deep.equal({ sent, dropped: 2, waiting: 3 });
    expect(all.totals).to.deep.equal({ sent, dropped: 2, waiting: 3, closed: 0 });
    const caughtUp = once(all, 'caughtUp');
    const numbers = read();
    await caughtUp;
    expect(all.stats(member)).to.deep.equal({ sent: sent + 3, dropped: 2, waiting: 0 });
    member.end();
    expect(await numbers).to.deep.equal([...range(0, sent), -3, -4, -5]);
  });

  it('keeps 16 messages by default, and none if limit is 0', async () => {
    for (const [options, waiting] of [
      [{}, 16],
      [{ limit: 0 }, 0],
    ] as const) {
      const all = new BroadcastStream({ policy: 'drop-oldest', ...options });
      const { member, client } = stopped();
      all.add(member);
      await makeLag(all, member);
      await writeAll(all, flood.slice(0, 20));
      expect(all.stats(member)).to.deep.include({ waiting, dropped: 20 - waiting });
      client.abort();
    }
  });

  it('keeps the order while a member catches up slowly and more messages are written', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest', limit: 1000 });
    const { member, client } = stopped();
    all.add(member);
    await makeLag(all, member);
    const numbers: number[] = [];
    void writeAll(all, flood).then(() => all.end());
    all.on('caughtUp', () => {
      if (all.writableFinished) member.end();
    });
    for await (const message of client) {
      numbers.push(numberOf(message as Message));
      expect(member.writableLength).to.be.at.most(2);
      if (numbers.length < 150) await nextTurn();
    }
    const sent = numbers.length - flood.length;
    expect(numbers).to.deep.equal([...range(0, sent), ...range(0, flood.length)]);
  });

  it('drops the waiting messages of a member that is deleted', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest', limit: 4900 });
    const { member, client } = stopped();
    all.add(member);
    await makeLag(all, member);
    const before = await retainedBytes();
    for (let i = 0; i < 5000; i++) all.write(Buffer.alloc(1024));
    expect(await retainedBytes()).to.be.above(before + 5_000_000);
    all.delete(member);
    expect(await retainedBytes()).to.be.below(before + 300_000);
    client.abort();
  });

  it('drops the waiting messages of a member that is ended', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest' });
    const { member, read } = stopped();
    all.add(member);
    const sent = await makeLag(all, member);
    all.write('-1');
    member.end('-2');
    expect(await read()).to.deep.equal([...range(0, sent), -2]);
    await member.whenClosed();
    expect(all.members.size).to.equal(0);
    expect(all.totals).to.deep.equal({ sent, dropped: 1, waiting: 0, closed: 0 });
  });

  it('keeps messages again when a member that has caught up lags again', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest' });
    const { member, client } = stopped();
    all.add(member);
    const numbers: number[] = [];
    for (const last of [-1, -2]) {
      await makeLag(all, member);
      all.write(`${last}`);
      expect(all.stats(member)?.waiting).to.equal(1);
      const caughtUp = once(all, 'caughtUp');
      client.on('data', (message) => numbers.push(numberOf(message))).resume();
      await caughtUp;
      while (numbers.at(-1) !== last) await once(client, 'data');
      client.removeAllListeners('data').pause();
    }
    expect(numbers.filter((number) => number < 0)).to.deep.equal([-1, -2]);
    client.abort();
  });

  it('counts a message that is written twice as two', async () => {
    const all = new BroadcastStream({ policy: 'drop-oldest' });
    const { member, client } = stopped();
    all.add(member);
    await makeLag(all, member);
    const message = new PreparedMessage('again');
    all.write(message);
    all.write(message);
    expect(all.stats(member)?.waiting).to.equal(2);
    client.abort();
  });

  it('sends waiting messages after the stream has ended or was destroyed, and then removes the member', async () => {
    for (const finish of [(all: BroadcastStream) => all.end(), (all: BroadcastStream) => all.destroy()]) {
      const all = new BroadcastStream({ policy: 'drop-oldest' });
      const { member, read } = stopped();
      all.add(member);
      const sent = await makeLag(all, member);
      await writeAll(all, ['-1', '-2']);
      finish(all);
      await once(all, 'close');
      expect(all.members.size).to.equal(1);
      const caughtUp = once(all, 'caughtUp');
      const numbers = read();
      await caughtUp;
      expect(all.members.size).to.equal(0);
      expect(member.writable).to.equal(true);
      member.end();
      expect(await numbers).to.deep.equal([...range(0, sent), -1, -2]);
    }
  });
});

describe('The policy keep-latest', () => {
  it('keeps the latest message for a lagging member', async () => {
    const all = new BroadcastStream({ policy: 'keep-latest' });
    const { member, read } = stopped();
    const dropped: unknown[] = [];
    all.add(member).on('drop', (_webSocket, message) => dropped.push(message));
    const sent = await makeLag(all, member);
    await writeAll(all, ['-1', '-2', '-3']);
    expect(dropped).to.deep.equal(['-1', '-2']);
    expect(all.stats(member)).to.deep.equal({ sent, dropped: 2, waiting: 1 });
    const caughtUp = once(all, 'caughtUp');
    const numbers = read();
    await caughtUp;
    member.end();
    expect(await numbers).to.deep.equal([...range(0, sent), -3]);
  });

  it('keeps one message for each key, at the position of the first message with that key', async () => {
    const all = new BroadcastStream({ policy: 'keep-latest', key: (message: string) => message.slice(0, 3) });
    const { member, client } = stopped();
    all.add(member);
    const sent = await makeLag(all, member);
    await writeAll(all, ['EUR 1', 'USD 1', 'EUR 2', 'CHF 1', 'EUR 3', 'USD 2']);
    const caughtUp = once(all, 'caughtUp');
    const heard = client.toArray();
    await caughtUp;
    member.end();
    expect(((await heard) as Message[]).slice(sent)).to.deep.equal(['EUR 3', 'USD 2', 'CHF 1']);
  });

  it('destroys the stream if key() throws, and pipeline() rejects with the error', async () => {
    const failure = new Error('no key');
    const all = new BroadcastStream({
      policy: 'keep-latest',
      key: () => {
        throw failure;
      },
    });
    const error = await pipeline(Readable.from(['text']), all).catch((cause) => cause);
    expect(error).to.equal(failure);
  });
});

describe('The policy close', () => {
  it('closes a member for which more than limit messages wait, with code and reason', async () => {
    const all = new BroadcastStream({ policy: 'close', limit: 2, code: 4008, reason: 'too slow' });
    const { member, client } = stopped();
    all.add(member);
    const sent = await makeLag(all, member);
    await writeAll(all, ['-1', '-2']);
    expect(all.members.has(member)).to.equal(true);
    await writeAll(all, ['-3']);
    expect(all.members.has(member)).to.equal(false);
    expect(all.totals).to.deep.equal({ sent, dropped: 3, waiting: 0, closed: 1 });
    let count = 0;
    client.on('data', () => count++).on('error', () => {});
    expect(await client.whenClosed()).to.deep.equal({ code: 4008, reason: 'too slow', wasClean: true });
    expect(count).to.equal(sent);
  });

  it('closes with 1013 by default, also if the program goes on writing', async () => {
    const all = new BroadcastStream({ policy: 'close', limit: 0 });
    const { member, client } = stopped();
    all.add(member);
    await makeLag(all, member);
    all.write('-1');
    member.write('the program knows nothing of it');
    client.on('error', () => {}).resume();
    await client.whenClosed();
    expect(member.destroyed).to.equal(true);

    const other = stopped();
    all.add(other.member);
    await makeLag(all, other.member);
    all.write('-1');
    other.client.on('error', () => {}).resume();
    expect((await other.client.whenClosed()).code).to.equal(1013);
  });
});
