import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect } from 'chai';
import type { Broker, BrokerDriver } from '../../../lib/topics/broker';
import { brokerContract } from '../../../lib/topics/contract';
import { natsBroker } from '../../../lib/topics/nats';
import { type Engine, startNats } from '../../support/engines';
import { rejectionOf } from '../../support/rejection';
import { thrownBy } from '../../support/thrown';
import { endOf, history, itTellsOfTrouble, startOf, take } from '../troubles';

describe('natsBroker()', () => {
  let engine: Engine;
  let connection: NatsConnection;
  const open = (port: number) =>
    connect({ port, waitOnFirstConnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0 });
  before(async function () {
    engine = await startNats(this);
    connection = await open(engine.port);
  });
  after(async () => {
    await connection.close();
    await engine.dispose();
  });

  describe('keeps the contract of brokers', () => {
    // The limit of messages is one of the stream, so each limit has a stream.
    const driver = (): BrokerDriver => (settings) =>
      natsBroker(connection, { stream: `TOPICS-${settings.history.messages}` })(settings);
    for (const { title, test } of brokerContract) it(title, () => test({ driver }));
  });

  describe('when NATS is in trouble', () => {
    const driver = () => natsBroker(connection, { timeout: 500, heartbeat: 100 });
    const deleteAll = async () => void (await (await jetstreamManager(connection)).streams.delete('TOPICS'));
    itTellsOfTrouble(() => ({ engine, driver, deleteAll }));
  });

  describe('the stream', () => {
    let broker: Broker | undefined;
    afterEach(() => broker?.close());
    const manager = () => jetstreamManager(connection);

    it('has no consumer for readers that have all messages, however many topics there are', async () => {
      broker = natsBroker(connection, { stream: 'MANY' })({ history });
      const own = broker;
      const controller = new AbortController();
      const names = Array.from({ length: 1000 }, (_, i) => `topic ${i}`);
      const froms = await Promise.all(names.map((name) => endOf(own, name)));
      const taken = names.map((name, i) => take(own.read(name, froms[i] ?? '', controller.signal), 1));
      await Promise.all(names.map((name) => own.publish(name, name)));
      expect((await Promise.all(taken)).map(([message]) => message?.data)).to.deep.equal(names);
      expect((await (await manager()).streams.info('MANY')).state.consumer_count).to.equal(0);
      controller.abort();
    });

    it('may be made by the program, with the limits of its own', async () => {
      await (await manager()).streams.add({
        name: 'OWN',
        subjects: ['OWN.log.*'],
        republish: { src: 'OWN.log.*', dest: 'OWN.live.{{wildcard(1)}}' },
        max_msgs_per_subject: 4,
        max_msg_size: 1000,
      });
      broker = natsBroker(connection, { stream: 'OWN' })({ history });
      for (let i = 0; i < 10; i++) await broker.publish('topic', `${i}`);
      const kept = await take(broker.read('topic', await startOf(broker, 'topic'), new AbortController().signal), 3);
      expect(kept.map(({ data }) => data)).to.deep.equal(['7', '8', '9']);
      const failure = await rejectionOf(broker.publish('topic', 'x'.repeat(1000)));
      expect(failure).to.have.property('code', 'WS_ERR_MESSAGE_TOO_BIG');
    });

    it('is refused if it does not publish what it has stored', async () => {
      await (await manager()).streams.add({ name: 'OTHER', subjects: ['OTHER.log.*'] });
      broker = natsBroker(connection, { stream: 'OTHER' })({ history });
      const failure = await rejectionOf(broker.publish('topic', 'text'));
      expect(failure).to.have.property('code', 'WS_ERR_BROKER_REFUSED');
      expect(failure.message).to.include('republish').and.to.include('OTHER.live.{{wildcard(1)}}');
    });

    it('is refused if it does not have the subject of all topics', async () => {
      await (await manager()).streams.add({
        name: 'FEW',
        subjects: ['FEW.log.lobby'],
        republish: { src: 'FEW.log.*', dest: 'FEW.live.{{wildcard(1)}}' },
      });
      broker = natsBroker(connection, { stream: 'FEW' })({ history });
      const failure = await rejectionOf(broker.publish('lobby', 'text'));
      expect(failure).to.have.property('code', 'WS_ERR_BROKER_REFUSED');
      expect(failure.message).to.include('must have the subject FEW.log.*, not FEW.log.lobby');
    });

    it('keeps messages for ever if the history has no limit of their age', async () => {
      const forever = { ...history, maxAge: Number.POSITIVE_INFINITY };
      broker = natsBroker(connection, { stream: 'FOREVER' })({ history: forever });
      await broker.publish('topic', 'text');
      const { config } = await (await manager()).streams.info('FOREVER');
      expect([config.max_age, config.max_msgs_per_subject]).to.deep.equal([0, history.messages + 1]);
    });

    it('has one beginning of a topic that several processes begin at the same time', async () => {
      const brokers = Array.from({ length: 5 }, () => natsBroker(connection)({ history }));
      const bounds = await Promise.all(brokers.map((each) => each.bounds('begun together')));
      for (const each of bounds) expect(each).to.deep.equal(bounds[0]);
      await Promise.all(brokers.map((each) => each.close()));
    });

    it('that is full refuses messages', async () => {
      await (await manager()).streams.add({
        name: 'FULL',
        subjects: ['FULL.log.*'],
        republish: { src: 'FULL.log.*', dest: 'FULL.live.{{wildcard(1)}}' },
        max_bytes: 10_000,
        discard: 'new' as never,
      });
      broker = natsBroker(connection, { stream: 'FULL' })({ history });
      const own = broker;
      const failure = await rejectionOf(
        (async () => {
          for (let i = 0; i < 20; i++) await own.publish('topic', 'x'.repeat(1000));
        })(),
      );
      expect(failure).to.have.property('code', 'WS_ERR_BROKER_REFUSED');
      expect(failure.message).to.include('maximum bytes exceeded');
    });

    it('gives text that other programs publish as text, and what is no UTF-8 as bytes', async () => {
      broker = natsBroker(connection)({ history });
      const from = await endOf(broker, 'others');
      connection.publish('TOPICS.log.others', 'text');
      connection.publish('TOPICS.log.others', Buffer.from([0xff]));
      const messages = await take(broker.read('others', from, new AbortController().signal), 2);
      expect(messages.map(({ data }) => data)).to.deep.equal(['text', Buffer.from([0xff])]);
    });
  });

  it('refuses a message that is larger than the limit of the server, and tells the limit', async () => {
    const broker = natsBroker(connection)({ history });
    expect(broker.maxMessageSize).to.be.within(1024 * 1024 - 1024, 1024 * 1024);
    await broker.publish('topic', Buffer.alloc(broker.maxMessageSize ?? 0), { key: 'k'.repeat(100) });
    const failure = await rejectionOf(broker.publish('topic', Buffer.alloc(1024 * 1024)));
    expect(failure).to.have.property('code', 'WS_ERR_MESSAGE_TOO_BIG');
    expect(failure.message).to.include('max_payload').and.to.include(`${broker.maxMessageSize}`);
    await broker.close();
  });

  it('takes the promise of a connection, and tells if there is none', async () => {
    const other = open(engine.port);
    const broker = natsBroker(other)({ history });
    await broker.publish('topic', 'text');
    await broker.close();
    await (await other).close();
    const late = natsBroker(other)({ history });
    expect(await rejectionOf(late.publish('topic', 'text'))).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
    await late.close();
    const failed = natsBroker(Promise.reject(new Error('no such host')))({ history });
    const failure = await rejectionOf(failed.publish('topic', 'text'));
    expect(failure).to.have.property('code', 'WS_ERR_BROKER_REFUSED');
    await failed.close();
  });

  it('fails at once when the program has closed the connection', async () => {
    const other = await open(engine.port);
    const broker = natsBroker(other)({ history });
    await broker.publish('topic', 'text');
    await other.close();
    for (let i = 0; i < 2; i++) {
      const failure = await rejectionOf(broker.publish('topic', 'text'));
      expect(failure).to.have.property('code', 'WS_ERR_BROKER_UNAVAILABLE');
      expect(failure.message).to.include('the connection to NATS was closed');
    }
    await broker.close();
  });

  it('leaves a connection alone that is made after it was closed', async () => {
    let settle = (_settled: Promise<NatsConnection>): void => {};
    for (const outcome of [Promise.resolve(connection), Promise.reject(new Error('no such host'))]) {
      const later = new Promise<NatsConnection>((resolve) => {
        settle = resolve;
      });
      await natsBroker(later)({ history }).close();
      settle(outcome);
      await later.catch(() => {});
    }
    expect(connection.isClosed()).to.equal(false);
  });

  it('checks its arguments at once', () => {
    const optionsOf = (options: object) => thrownBy(() => natsBroker(connection, options)).message;
    expect(optionsOf({ stream: 'a.b' })).to.include(
      "option stream must be a string of letters, digits, - and _, not 'a.b'",
    );
    expect(optionsOf({ timeout: 0 })).to.include('option timeout must be');
    expect(optionsOf({ storage: 'disk' })).to.include("option storage must be 'file' or 'memory', not 'disk'");
    expect(optionsOf({ streams: 'TOPICS' })).to.include('unknown option streams; did you mean stream?');
    for (const other of [{}, undefined, 'nats://localhost'])
      expect(thrownBy(() => natsBroker(other as NatsConnection)).message).to.include(
        'connect() of @nats-io/transport-node',
      );
  });
});
