import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { brokerContract } from '../../../lib/topics/contract';
import { redisBroker } from '../../../lib/topics/redis';
import { type Engine, startRedis } from '../../support/engines';

const clients = {
  redis: (port: number) => createClient({ socket: { host: '127.0.0.1', port } }),
  ioredis: (port: number) => new Redis({ host: '127.0.0.1', port, lazyConnect: true }),
};

for (const [name, createRedisClient] of Object.entries(clients)) {
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
  });
}
