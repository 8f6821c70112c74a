import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import { checkOptions, connectionOptionNames, type ServerOptions } from '../options';
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

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkServerOptions(options: ServerOptions): void {
  checkOptions(options, 'versions', 'handshakeTimeout', 'origins', 'filter', ...connectionOptionNames);
  for (const version of options.versions ?? []) protocolVersion(version, 'versions');
}
