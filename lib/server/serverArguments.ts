import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import { checkOptions, connectionOptionNames, type ServerOptions, type UpgradeOptions } from '../options';
import { protocolVersion } from '../versions';

/**
 * Checks that a value has the methods of a server of `http`, `https` or `http2` that the library uses.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkServer(server: unknown): void {
  if (has(server, 'on') && has(server, 'emit') && has(server, 'setTimeout')) return;
  const detail = `the first argument must be an http, https or http2 server, not ${describeServer(server)}`;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
}

function describeServer(server: unknown): string {
  if (has(server, 'getConnections')) return 'a server of node:net, which does not speak HTTP: use http.createServer()';
  if (has(server, 'listen')) return 'the application of a framework: take the server that app.listen() returns';
  return describeValue(server);
}

function has(value: unknown, method: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function';
}

const upgradeOptionNames = ['versions', 'handshakeTimeout', 'origins', 'filter', ...connectionOptionNames] as const;

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkServerOptions(options: ServerOptions): void {
  checkOptions(options, ...upgradeOptionNames, 'maxConnections', 'maxConnectionsPerAddress', 'memoryBudget');
  checkVersions(options);
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkUpgradeOptions(options: UpgradeOptions): void {
  checkOptions(options, ...upgradeOptionNames);
  checkVersions(options);
}

function checkVersions({ versions = [] }: UpgradeOptions): void {
  for (const version of versions) protocolVersion(version, 'versions');
}
