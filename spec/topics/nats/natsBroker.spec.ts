import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { BrokerDriver } from '../../../lib/topics/broker';
import { brokerContract } from '../../../lib/topics/contract';
import { natsBroker } from '../../../lib/topics/nats';
import { type Engine, startNats } from '../../support/engines';

describe('natsBroker()', () => {
  let engine: Engine;
  let connection: NatsConnection;
  before(async function () {
    engine = await startNats(this);
    connection = await connect({ port: engine.port, waitOnFirstConnect: true, maxReconnectAttempts: -1 });
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
});
