import { endsAndNames } from './ends';
import { historySpecs } from './history';
import { readingSpecs } from './reading';
import type { BrokerSpec } from './stage';

export type { BrokerRig, BrokerSpec } from './stage';

/**
 * The specs that every driver of a broker must pass, for any test runner. They use no clock, except to wait for messages to reach an age.
 * @example
 * for (const { title, test } of brokerContract) it(title, () => test({ driver: () => natsBroker(connection) }));
 */
export const brokerContract: readonly BrokerSpec[] = [...readingSpecs, ...historySpecs, ...endsAndNames];
