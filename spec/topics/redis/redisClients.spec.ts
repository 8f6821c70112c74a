import { expect } from 'chai';
import { openConnection } from '../../../lib/topics/redis/redisClients';
import { startRedis } from '../../support/engines';
import { activeTimers } from '../troubles';
import { clients } from './clients';

for (const [name, createRedisClient] of Object.entries(clients))
  it(`openConnection() of ${name}: destroy() leaves no timer behind when the server has closed the connection`, async function () {
    const engine = await startRedis(this);
    const before = await activeTimers();
    let connecting: Promise<unknown> = Promise.resolve();
    const destroyed = new Promise<void>((resolve) => {
      const lost = () => {
        connection.destroy();
        resolve();
      };
      const [connection, connected] = openConnection(createRedisClient(engine.port), { message: () => {}, lost });
      connecting = connected;
    });
    await connecting;
    await engine.stop('SIGKILL');
    await destroyed;
    expect((await activeTimers()).length).to.be.at.most(before.length);
    await engine.dispose();
  });
