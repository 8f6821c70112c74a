import type { BrokerDriver } from '../../lib/topics/broker';
import { type Position, parseCursor, toCursor } from '../../lib/topics/cursor';

/** How far the offsets of two messages are apart. */
export const spacing = 10;

function scaled(cursor: string, factor: number): string {
  const { epoch, offset } = parseCursor(cursor) as Position;
  return toCursor({ epoch, offset: Math.floor(offset * factor) });
}

/** A driver over one whose offsets grow by one: here they have gaps, as those of a broker that counts the messages of all topics together. */
export function sparse(driver: BrokerDriver): BrokerDriver {
  return (settings) => {
    const broker = driver(settings);
    return {
      guarantees: broker.guarantees,
      maxMessageSize: broker.maxMessageSize,
      publish: async (...parameters) => scaled(await broker.publish(...parameters), spacing),
      async *read(topic, after, signal) {
        for await (const message of broker.read(topic, scaled(after, 1 / spacing), signal))
          yield { ...message, id: scaled(message.id, spacing) };
      },
      async bounds(topic) {
        const { epoch, first, last } = await broker.bounds(topic);
        return { epoch, first: (first - 1) * spacing + 1, last: last * spacing };
      },
      close: () => broker.close(),
    };
  };
}
