import { expect } from 'chai';
import { createClient } from 'redis';
import { brokerContract } from '../../../lib/topics/contract';
import { redisBroker } from '../../../lib/topics/redis';
import type { RedisClient } from '../../../lib/topics/redis/redisClients';
import { type Engine, startRedis } from '../../support/engines';
import { rejectionOf } from '../../support/rejection';
import { thrownBy } from '../../support/thrown';
import { endOf, history, itTellsOfTrouble, startOf, take, whenBack } from '../troubles';
import { clients } from './clients';

/** Sends one command of an administrator. */
async function command(port: number, ...parameters: string[]): Promise<unknown> {
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  await client.connect();
  try {
    return await client.sendCommand(parameters);
  } finally {
    client.destroy();
  }
}

for (const [name, createRedisClient] of Object.entries(clients))
  describe(`redisBroker() with a client of ${name}`, () => {
    let engine: Engine;
    before(async function () {
      engine = await startRedis(this);
    });
    after(() => engine.dispose());

    describe('keeps the contract of brokers', () => {
      for (const { title, test } of brokerContract)
        it(title, () => test({ driver: () => redisBroker(createRedisClient(engine.port)) }));
    });

    describe('when Redis is in trouble', () => {
      const driver = () => redisBroker(createRedisClient(engine.port), { timeout: 500, heartbeat: 100 });
      const deleteAll = async () => void (await command(engine.port, 'FLUSHALL'));
      itTellsOfTrouble(() => ({ engine, driver, deleteAll }));
    });

    it('needs two connections, however many topics are read', async () => {
      const broker = redisBroker(createRedisClient(engine.port))({ history });
      const controller = new AbortController();
      const names = Array.from({ length: 1000 }, (_, i) => `topic ${i}`);
      const froms = await Promise.all(names.map((topic) => endOf(broker, topic)));
      const taken = names.map((topic, i) => take(broker.read(topic, froms[i] ?? '', controller.signal), 1));
      await Promise.all(names.map((topic) => broker.publish(topic, topic)));
      expect((await Promise.all(taken)).map(([message]) => message?.data)).to.deep.equal(names);
      const connections = `${await command(engine.port, 'CLIENT', 'LIST')}`.trim().split('\n');
      expect(connections).to.have.lengthOf(2 + 1);
      controller.abort();
      await broker.close();
    });
  });

describe('redisBroker()', () => {
  const broker = (port: number, options = {}) =>
    redisBroker(clients['redis']?.(port) as RedisClient, options)({ history });

  it('gives topics a new epoch when Redis was started again and does not append to a file', async function () {
    const engine = await startRedis(this, '--appendonly', 'no', '--save', '3600 1');
    const own = broker(engine.port);
    const first = await own.publish('topic', 'before');
    await command(engine.port, 'SAVE');
    const lost = await own.publish('topic', 'lost');
    await engine.stop('SIGKILL');
    await engine.start();
    const after = await whenBack(() => own.publish('topic', 'after'));
    // The offset is given out once more, so it must be of another epoch.
    expect(after.split(':')[1]).to.equal(lost.split(':')[1]);
    for (const cursor of [first, lost])
      expect(await rejectionOf(take(own.read('topic', cursor, new AbortController().signal), 1))).to.include({
        code: 'WS_ERR_TOPIC_LOST',
        lost: 'epoch',
      });
    const kept = await take(own.read('topic', await startOf(own, 'topic'), new AbortController().signal), 2);
    expect(kept.map(({ data }) => data)).to.deep.equal(['before', 'after']);
    await own.close();
    await engine.dispose();
  });

  it('keeps the epoch when Redis has forgotten only the scripts', async function () {
    const engine = await startRedis(this);
    const own = broker(engine.port);
    const first = await own.publish('topic', 'before');
    await command(engine.port, 'SCRIPT', 'FLUSH');
    const ids = await Promise.all(Array.from({ length: 50 }, (_, i) => own.publish('topic', `${i}`)));
    const messages = await take(own.read('topic', first, new AbortController().signal), 50);
    expect(messages.map(({ id, data }) => [id, data])).to.deep.equal(ids.map((id, i) => [id, `${i}`]));
    await own.close();
    await engine.dispose();
  });

  it('is refused when the memory of Redis is full, and tells if messages were evicted', async function () {
    const engine = await startRedis(this, '--maxmemory', '8mb');
    const own = broker(engine.port, { prefix: 'full' });
    const failure = await rejectionOf(
      (async () => {
        for (;;) await own.publish('topic', 'x'.repeat(100_000));
      })(),
    );
    expect(failure).to.have.property('code', 'WS_ERR_BROKER_REFUSED');
    expect(failure.message).to.include('OOM');
    const from = await startOf(own, 'topic');
    // As eviction does with maxmemory-policy allkeys-lru.
    await command(engine.port, 'DEL', 'full:log:topic');
    const lost = await rejectionOf(take(own.read('topic', from, new AbortController().signal), 1));
    expect(lost).to.include({ code: 'WS_ERR_TOPIC_LOST', lost: 'evicted' });
    await own.close();
    await engine.dispose();
  });

  it('refuses a message that is larger than the limit of the server, and tells the limit', async function () {
    const engine = await startRedis(this, '--proto-max-bulk-len', '1mb');
    const own = broker(engine.port);
    const failure = await rejectionOf(own.publish('topic', Buffer.alloc(1024 * 1024 + 1)));
    expect(failure).to.have.property('code', 'WS_ERR_MESSAGE_TOO_BIG');
    expect(failure.message).to.include('1048577 bytes').and.to.include('proto-max-bulk-len');
    expect(own.maxMessageSize).to.equal(1024 * 1024);
    await own.publish('topic', Buffer.alloc(1024 * 1024));
    await own.close();
    await engine.dispose();
  });

  it('assumes the usual limit of the server if the user of the connection may not ask for it', async function () {
    const engine = await startRedis(this);
    await command(engine.port, 'ACL', 'SETUSER', 'writer', 'on', '>secret', '~*', '&*', '+@all', '-config');
    const client = createClient({ url: `redis://writer:secret@127.0.0.1:${engine.port}` });
    const own = redisBroker(client)({ history });
    await own.publish('topic', 'text');
    expect(own.maxMessageSize).to.be.within(2 ** 29 - 24, 2 ** 29);
    await own.close();
    await engine.dispose();
  });

  it('deletes nothing by its bytes or its age if the history has no limits for them', async function () {
    const engine = await startRedis(this);
    const unlimited = { messages: 10_000, bytes: Number.POSITIVE_INFINITY, maxAge: Number.POSITIVE_INFINITY };
    const own = redisBroker(clients['redis']?.(engine.port) as RedisClient)({ history: unlimited });
    const numbers = Array.from({ length: 2000 }, (_, i) => `${i}`);
    await Promise.all(numbers.map((number) => own.publish('topic', number)));
    const kept = await take(own.read('topic', await startOf(own, 'topic'), new AbortController().signal), 2000);
    expect(kept.map(({ data }) => data)).to.deep.equal(numbers);
    expect(await command(engine.port, 'TTL', 'topics:log:topic')).to.equal(-1);
    await own.close();
    await engine.dispose();
  });

  it('tells when the user of the connection may not do what it needs', async function () {
    const engine = await startRedis(this);
    await command(engine.port, 'ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '&*', '+@read', '+@connection');
    const client = createClient({ url: `redis://reader:secret@127.0.0.1:${engine.port}` });
    const own = redisBroker(client)({ history });
    const failure = await rejectionOf(own.publish('topic', 'text'));
    expect(failure).to.have.property('code', 'WS_ERR_BROKER_REFUSED');
    expect(failure.message).to.include('NOPERM');
    await own.close();
    await engine.dispose();
  });

  it('checks its arguments at once', () => {
    const client = clients['redis']?.(1) as RedisClient;
    const optionsOf = (options: object) => thrownBy(() => redisBroker(client, options)).message;
    expect(optionsOf({ prefix: 'a:b' })).to.include(
      "option prefix must be a string of letters, digits, - and _, not 'a:b'",
    );
    expect(optionsOf({ retention: 1 })).to.include('option retention must be a number of milliseconds');
    expect(optionsOf({ prefx: 'topics' })).to.include('unknown option prefx; did you mean prefix?');
    for (const other of [{}, null, 'redis://localhost'])
      expect(thrownBy(() => redisBroker(other as RedisClient)).message).to.include(
        'client must be what createClient()',
      );
  });
});
