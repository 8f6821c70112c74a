import { describeValue } from '../../codec/describeValue';
import { WebSocketError } from '../../errors';
import { checkIsObject } from '../../options/checkOptions';
import { refuseUnknown } from '../../options/unknownOptions';

/** What an option accepts, in words and as a test. */
export type DriverRule = readonly [accepted: string, test: (value: unknown) => boolean];

/** setTimeout() cannot wait longer. */
const longestTimeout = 2 ** 31 - 1;

export const timeoutRule: DriverRule = [
  `a number of milliseconds from 1 to ${longestTimeout}`,
  (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= longestTimeout,
];

export const retentionRule: DriverRule = [
  'a number of milliseconds, at least 1000',
  (value) => Number.isInteger(value) && (value as number) >= 1000,
];

export const limitRule: DriverRule = [
  'an integer of at least 1',
  (value) => Number.isInteger(value) && (value as number) >= 1,
];

/** A name that has no character with a meaning to a broker. */
export const nameRule: DriverRule = [
  'a string of letters, digits, - and _',
  (value) => typeof value === 'string' && /^[\w-]{1,64}$/.test(value),
];

export const oneOf = (...values: readonly string[]): DriverRule => [
  values.map((value) => `'${value}'`).join(' or '),
  (value) => values.includes(value as string),
];

/**
 * Checks the options of a driver, and returns them with the defaults for those that are absent or undefined.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT with the option, its value and the accepted values
 */
export function checkDriverOptions<T extends object, D extends Partial<T>>(
  options: T,
  rules: Readonly<Record<keyof T & string, DriverRule>>,
  defaults: D,
): T & D {
  checkIsObject(options);
  refuseUnknown(options, Object.keys(rules));
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const [accepted, test] = rules[name as keyof T & string];
    if (test(value)) continue;
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `option ${name} must be ${accepted}, not ${describeValue(value)}`,
    );
  }
  return { ...defaults, ...(Object.fromEntries(given) as T) };
}
