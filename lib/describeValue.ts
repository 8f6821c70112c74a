import { inspect } from 'node:util';

/** Describes a value for an error message: primitives and arrays as source text, other objects by their class. */
export function describeValue(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return inspect(value, { maxStringLength: 50 });
  if (Array.isArray(value)) {
    return inspect(value, { depth: 0, maxArrayLength: 5, maxStringLength: 50, breakLength: Number.POSITIVE_INFINITY });
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return 'a plain object';
  const { name } = value.constructor ?? {};
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object';
}
