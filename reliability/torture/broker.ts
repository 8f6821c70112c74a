import { WebSocketError } from '../../lib/errors';
import { memoryBroker } from '../../lib/topics';
import type { BrokerDriver } from '../../lib/topics/broker';
import type { Faults } from './faults';

/** A broker in memory of which each call can fail, and each message that is read. */
export function torturedBroker(faults: Faults): BrokerDriver {
  const check = (call: string) => {
    if (faults.fails(`broker ${call}`)) throw new WebSocketError('WS_ERR_BROKER_UNAVAILABLE', 'it was made to fail');
  };
  return (settings) => {
    const broker = memoryBroker()(settings);
    return {
      guarantees: broker.guarantees,
      maxMessageSize: broker.maxMessageSize,
      async publish(...parameters) {
        check('publish');
        return broker.publish(...parameters);
      },
      async *read(...parameters) {
        check('read');
        for await (const message of broker.read(...parameters)) {
          check('message');
          yield message;
        }
      },
      async bounds(...parameters) {
        check('bounds');
        return broker.bounds(...parameters);
      },
      close: () => broker.close(),
    };
  };
}
