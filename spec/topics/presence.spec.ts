import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { memoryBroker, type Presence, type PresenceChange, type PresentMember, Topics } from '../../lib/topics';
import type { Broker, BrokerDriver } from '../../lib/topics/broker';
import { rejectionOf } from '../support/rejection';
import { thrownBy } from '../support/thrown';
import { range, testMember, until } from '../support/topicMembers';

const infos = (members: readonly PresentMember[]) => members.map(({ info }) => info).sort();

/** A broker that can stop to send and to receive, as that of a process that was killed or suspended. */
function suspendable(driver: BrokerDriver): { driver: BrokerDriver; suspend(): void; resume(): void } {
  let blocked: Promise<void> | undefined;
  let release = () => {};
  return {
    driver: (settings) => {
      const broker = driver(settings);
      const read: Broker['read'] = async function* (...args) {
        for await (const message of broker.read(...args)) {
          await blocked;
          yield message;
        }
      };
      const publish: Broker['publish'] = async (...args) => {
        await blocked;
        return broker.publish(...args);
      };
      return {
        ...broker,
        guarantees: broker.guarantees,
        read,
        publish,
        bounds: (topic) => broker.bounds(topic),
        close: () => broker.close(),
      };
    },
    suspend() {
      blocked = new Promise((resolve) => {
        release = resolve;
      });
    },
    resume() {
      blocked = undefined;
      release();
    },
  };
}

describe('topics.presence()', () => {
  const second = 1000;
  let shared: BrokerDriver;
  let opened: Topics[];
  let streams: Readable[];

  /** The topics of another process. */
  function open(driver = shared, options: object = {}): Topics {
    const topics = new Topics({ broker: driver, presenceTimeout: 30 * second, ...options });
    opened.push(topics);
    return topics;
  }

  /** The changes that a process sees, as they come. */
  function watch(presence: Presence): { changes: PresenceChange[]; present(): unknown[] } {
    const changes: PresenceChange[] = [];
    const members = new Map<string, unknown>();
    const stream = presence.changes();
    streams.push(stream);
    stream.on('data', (change: PresenceChange) => {
      changes.push(change);
      for (const { id } of change.left) expect(members.delete(id)).to.equal(true);
      for (const { id, info } of change.joined) {
        expect(members.has(id)).to.equal(false);
        members.set(id, info);
      }
    });
    return { changes, present: () => [...members.values()].sort() };
  }

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: 1_000_000_000 });
    shared = memoryBroker();
    opened = [];
    streams = [];
  });
  afterEach(async () => {
    for (const stream of streams) stream.destroy();
    await Promise.all(opened.map((topics) => topics.close()));
    mock.timers.reset();
  });

  async function sees(presence: Presence, expected: unknown[]): Promise<void> {
    for (;;) {
      const present = infos(await presence.list());
      if (JSON.stringify(present) === JSON.stringify(expected)) return;
      await until(() => true);
    }
  }

  it('lists who has entered and not left, in this process and in others', async () => {
    const [one, other] = [open().presence('lobby'), open().presence('lobby')];
    const leave = one.enter('Ada');
    one.enter({ name: 'Grace', tags: [1, null] });
    other.enter('Linus');
    for (const presence of [one, other])
      await sees(presence, ['Ada', 'Linus', { name: 'Grace', tags: [1, null] }].sort());
    leave();
    leave();
    for (const presence of [one, other]) await sees(presence, ['Linus', { name: 'Grace', tags: [1, null] }].sort());
    expect(await open().presence('other').list()).to.deep.equal([]);
  });

  it('a process that looks for the first time learns of everyone at once', async () => {
    const one = open().presence('lobby');
    for (const i of range(0, 100)) one.enter(i);
    await sees(open().presence('lobby'), range(0, 100).sort());
    expect(infos(await open().presence('lobby').list())).to.deep.equal(range(0, 100).sort());
  });

  it('it does so as well if the messages of their entering are not kept any more', async () => {
    const history = { messages: 3 };
    const one = open(shared, { history }).presence('lobby');
    for (const i of range(0, 20)) {
      one.enter(i);
      await until(() => true);
    }
    mock.timers.tick(10 * second);
    await until(() => true);
    expect(infos(await open(shared, { history }).presence('lobby').list())).to.deep.equal(range(0, 20).sort());
  });

  it('waits for a process whose first messages are not kept until it has sent its state', async () => {
    const history = { messages: 1 };
    const one = suspendable(shared);
    const presence = open(one.driver, { history }).presence('lobby');
    for (const i of range(0, 3)) {
      presence.enter(i);
      await nextTurn();
    }
    one.suspend();
    let listed: PresentMember[] | undefined;
    const list = open(shared, { history }).presence('lobby').list();
    list.then((members) => {
      listed = members;
    });
    for (const _ of range(0, 11)) {
      mock.timers.tick(second);
      await nextTurn();
    }
    expect(listed).to.equal(undefined);
    one.resume();
    expect(infos(await list)).to.deep.equal([0, 1, 2]);
  });

  it('changes(): begins with everyone who is present, and goes on with differences', async () => {
    const [one, other] = [open().presence('lobby'), open().presence('lobby')];
    const leave = one.enter('Ada');
    await sees(other, ['Ada']);
    const { changes, present } = watch(other);
    await until(() => changes.length === 1);
    expect(infos(changes[0]?.joined ?? [])).to.deep.equal(['Ada']);
    one.enter('Grace');
    other.enter('Linus');
    await until(() => present().length === 3);
    leave();
    await until(() => present().length === 2);
    expect(present()).to.deep.equal(['Grace', 'Linus']);
  });

  it('changes(): begins with an empty difference if nobody is present', async () => {
    const { changes } = watch(open().presence('lobby'));
    await until(() => changes.length === 1);
    expect(changes).to.deep.equal([{ joined: [], left: [] }]);
  });

  it('changes(): a reader that pauses gets one difference instead of many', async () => {
    const presence = open().presence('lobby');
    const stream = presence.changes();
    streams.push(stream);
    await once(stream, 'readable');
    for (const i of range(0, 100)) {
      const leave = presence.enter(i);
      if (i % 2 === 0) leave();
    }
    const seen: PresenceChange[] = [];
    stream.on('data', (change) => seen.push(change));
    await until(() => seen.length > 1);
    await until(() => seen.flatMap(({ joined }) => joined).length === 50);
    expect(seen.length).to.be.below(5);
  });

  it('those of a process that was killed leave after presenceTimeout, and not before', async () => {
    const killed = suspendable(shared);
    open(killed.driver).presence('lobby').enter('Ada');
    const other = open().presence('lobby');
    other.enter('Grace');
    const { changes, present } = watch(other);
    await until(() => present().length === 2);
    killed.suspend();
    for (const _ of range(0, 29)) mock.timers.tick(second);
    await until(() => true);
    expect(present()).to.deep.equal(['Ada', 'Grace']);
    for (const _ of range(0, 11)) mock.timers.tick(second);
    await until(() => present().length === 1);
    expect(changes.at(-1)).to.deep.equal({
      joined: [],
      left: [changes.flatMap(({ joined }) => joined).find(({ info }) => info === 'Ada')],
    });
    killed.resume();
  });

  it('those of a process that was only suspended come back', async () => {
    const suspended = suspendable(shared);
    open(suspended.driver).presence('lobby').enter('Ada');
    const { present } = watch(open().presence('lobby'));
    await until(() => present().length === 1);
    suspended.suspend();
    for (const _ of range(0, 41)) mock.timers.tick(second);
    await until(() => present().length === 0);
    suspended.resume();
    for (const _ of range(0, 11)) {
      mock.timers.tick(second);
      await until(() => true);
    }
    await until(() => present().length === 1);
    expect(present()).to.deep.equal(['Ada']);
  });

  it('those of a process that closes its topics leave at once', async () => {
    const closed = open();
    closed.presence('lobby').enter('Ada');
    const { present } = watch(open().presence('lobby'));
    await until(() => present().length === 1);
    await closed.close();
    await until(() => present().length === 0);
  });

  it('members with the option presence are present as long as they are members', async () => {
    const topics = open();
    const { ws, client } = testMember();
    const { present } = watch(open().presence('lobby'));
    topics.topic('lobby').add(ws, { presence: { name: 'Ada' } });
    const joined = topics.join('lobby', { presence: { name: 'Grace' } });
    await until(() => present().length === 2);
    joined.end();
    await until(() => present().length === 1);
    client.abort();
    await until(() => present().length === 0);
  });

  it('enter(): refuses what JSON does not keep, and what is too long', () => {
    const presence = open().presence('lobby');
    for (const info of [undefined, () => {}, Symbol('s'), 'x'.repeat(16_383)])
      expect(thrownBy(() => presence.enter(info))).to.include({ code: 'WS_ERR_INVALID_ARGUMENT' });
    presence.enter('x'.repeat(16_382));
  });

  it('fails with WS_ERR_NOT_OPEN from the call of topics.close(), also what is under way', async () => {
    const topics = open();
    const presence = topics.presence('lobby');
    presence.enter('Ada');
    const [listed, changes] = [presence.list(), presence.changes()];
    const closed = topics.close();
    const expected = { code: 'WS_ERR_NOT_OPEN' };
    expect(await rejectionOf(listed)).to.include(expected);
    expect(await rejectionOf(presence.list())).to.include(expected);
    expect(thrownBy(() => presence.enter('Grace'))).to.include(expected);
    // Nobody listens for 'error', and nothing is thrown.
    for (const stream of [changes, presence.changes()]) expect(stream.errored).to.include(expected);
    await closed;
  });

  it('changes({ signal }): is destroyed when the signal aborts, or has aborted', async () => {
    const presence = open().presence('lobby');
    const controller = new AbortController();
    const stream = presence.changes({ signal: controller.signal });
    const failure = once(stream, 'error');
    controller.abort('enough');
    expect((await failure)[0]).to.include({ code: 'WS_ERR_ABORTED', cause: 'enough' });
    const [late] = await once(presence.changes({ signal: controller.signal }), 'error');
    expect(late).to.include({ code: 'WS_ERR_ABORTED', cause: 'enough' });
  });

  it('shows very many members, in messages that are not too long', async () => {
    const shortBroker: BrokerDriver = (settings) => {
      const broker = shared(settings);
      return Object.assign(Object.create(broker), {
        guarantees: broker.guarantees,
        maxMessageSize: 64 * 1024,
        publish: broker.publish.bind(broker),
        read: broker.read.bind(broker),
        bounds: broker.bounds.bind(broker),
        close: broker.close.bind(broker),
      }) as Broker;
    };
    const one = open(shortBroker).presence('lobby');
    for (const i of range(0, 500)) one.enter(`${i} ${'x'.repeat(1000)}`);
    await until(() => true);
    const seen = await open().presence('lobby').list();
    expect(seen.length).to.equal(500);
  });
});
