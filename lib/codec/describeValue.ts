import { inspect, types } from 'node:util';

/** Advice for values that are no message. */
const remedies: Readonly<Record<string, string>> = {
  'a plain object': 'JSON.stringify it',
  'an instance of Promise': 'await it',
  'an instance of Blob': 'write its stream(), or await its arrayBuffer()',
  'an instance of Readable': 'pass it to write()',
  'an instance of ReadableStream': 'pass it to write()',
  'an instance of PreparedMessage': 'pass it to write()',
};

/** Describes a value for an error message: primitives and arrays as source text, other objects by their class. */
export function describeValue(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return inspect(value, { maxStringLength: 50 });
  if (Array.isArray(value)) {
    return inspect(value, { depth: 0, maxArrayLength: 5, maxStringLength: 50, breakLength: Number.POSITIVE_INFINITY });
  }
  if (types.isPromise(value)) return 'an instance of Promise';
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of a plain object has no prototype, in every realm.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return 'a plain object';
  const { name } = value.constructor ?? {};
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object';
}

/** Describes a value that is no message for an error message, and adds advice. */
export function describeNoMessage(value: unknown): string {
  const described = describeValue(value);
  const remedy = Array.isArray(value) ? 'JSON.stringify it' : remedies[described];
  return remedy === undefined ? described : `${described}: ${remedy}`;
}
