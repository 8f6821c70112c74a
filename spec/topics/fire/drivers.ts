import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import type { BrokerDriver } from '../../../lib/topics';
import { natsBroker } from '../../../lib/topics/nats';
import { redisBroker } from '../../../lib/topics/redis';

export type EngineName = 'nats' | 'redis';

/** A driver, and what closes its connection. */
export interface OpenDriver {
  readonly driver: BrokerDriver;
  close(): Promise<void>;
}

/** All messages of a run are kept, so that each can be accounted for. */
export const history = { messages: 100_000, bytes: 2 ** 30, maxAge: 3_600_000 };

export async function openDriver(engine: EngineName, port: number): Promise<OpenDriver> {
  const settings = { timeout: 2000, heartbeat: 500 };
  if (engine === 'redis') {
    const driver = redisBroker(createClient({ socket: { host: '127.0.0.1', port } }), settings);
    return { driver, close: async () => {} };
  }
  const options = { waitOnFirstConnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 50 };
  const connection = await connect({ port, pingInterval: 2000, ...options });
  return { driver: natsBroker(connection, settings), close: () => connection.close() };
}
