import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import { connectionOptionNames } from './defaults';
import { type AllOptions, type Rule, rules, settingRules } from './rules';
import type { ConnectOptions, Streamed } from './types';
import { refuseUnknown } from './unknownOptions';

/**
 * Checks options and returns them. If an option is absent or undefined, its default is used; `role` has no default.
 * @param names the accepted options; any other option is refused
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT with the option, its value and the accepted values
 */
export function checkOptions<T extends object, K extends keyof T & keyof AllOptions>(options: T, ...names: K[]): T {
  checkIsObject(options);
  refuseUnknown(options, names);
  return checkValues(options, names);
}

/**
 * Checks the options of `connect()` of a server's WebSocket.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT with the option, its value and the accepted values
 */
export function checkConnectOptions(options: ConnectOptions | Streamed<ConnectOptions>): void {
  checkIsObject(options);
  const names = ['protocol', 'headers', ...connectionOptionNames] as const;
  refuseUnknown(options, names, '', optionsOfServers);
  checkValues<ConnectOptions | Streamed<ConnectOptions>, keyof ConnectOptions>(options, names);
}

const ofServer = 'it is an option of configureServer(), for all connections';

/** Advice for options of a server that are given for one connection. */
const optionsOfServers: Readonly<Record<string, string>> = {
  versions: ofServer,
  handshakeTimeout: ofServer,
  origins: ofServer,
  filter: ofServer,
  maxConnections: ofServer,
  maxConnectionsPerAddress: ofServer,
  memoryBudget: ofServer,
};

/**
 * Checks the values of the named options only.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT with the option, its value and the accepted values
 */
export function checkValues<T extends object, K extends keyof T & keyof AllOptions>(
  options: T,
  names: readonly K[],
): T {
  for (const name of names) {
    const value: unknown = options[name];
    if (value !== undefined || name === 'role') checkOption(name, value, rules[name]);
    const settings = settingRules[name];
    if (settings !== undefined && typeof value === 'object' && value !== null) checkSettings(name, value, settings);
  }
  return options;
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkIsObject(options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `options must be an object, not ${describeValue(options)}`);
}

function checkSettings(option: string, values: object, settings: Readonly<Record<string, Rule>>): void {
  refuseUnknown(values, Object.keys(settings), `${option}.`);
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) checkOption(`${option}.${name}`, value, settings[name] as Rule);
  }
}

function checkOption(name: string, value: unknown, [accepted, test]: Rule): void {
  if (test(value)) return;
  // A string of headers is not printed: it may have credentials, and error messages are logged.
  const given = name === 'headers' && typeof value === 'string' ? 'a string' : describeValue(value);
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', `option ${name} must be ${accepted}, not ${given}`);
}
