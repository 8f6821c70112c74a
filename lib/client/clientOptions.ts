import { validateHeaderName, validateHeaderValue } from 'node:http';
import { describeValue } from '../codec/describeValue';
import { isToken } from '../codec/headers';
import type { Version } from '../contracts';
import { WebSocketError } from '../errors';
import {
  checkIsObject,
  checkValues,
  connectionOptionNames,
  defaults,
  type OpeningOptions,
  type RetryOptions,
  refuseUnknown,
  type Streamed,
} from '../options';
import { http2Versions, protocolVersion } from '../versions';
import { type NodeOptions, nodeOptionNames, remedies } from './nodeOptions';

/**
 * The options of `connect()`: those of this library, and those of Node's `http.request()`, `tls.connect()` and
 * `net.connect()`.
 */
export interface ClientOptions extends OpeningOptions, NodeOptions {}

export type AnyClientOptions = ClientOptions | Streamed<ClientOptions>;

/** The versions that a client accepts, in order of preference. */
export type Versions = readonly [Version, ...Version[]];

const openingOptionNames = [
  'protocols',
  'headers',
  'origin',
  'version',
  'versions',
  'http2',
  'handshakeTimeout',
  'followRedirects',
  'signal',
  ...connectionOptionNames,
] as const;

/**
 * @param retryNames the options of `reconnecting()`, where they are accepted
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkClientOptions(
  options: AnyClientOptions & RetryOptions,
  retryNames: readonly (keyof RetryOptions)[] = [],
): void {
  if (typeof options === 'string' || Array.isArray(options)) {
    throw invalid(`options must be an object, not ${describeValue(options)}; subprotocols go into option protocols`);
  }
  checkIsObject(options);
  // Our names are first, so that they are suggested before the names of Node.
  refuseUnknown(options, [...openingOptionNames, ...retryNames, ...nodeOptionNames], '', remedies);
  checkValues(options, [...openingOptionNames, ...retryNames]);
  for (const [name, value] of Object.entries(options.headers ?? {})) checkHeader(name, value);
  const versions = versionsOf(options);
  checkProtocols(options.protocols ?? [], versions);
  if (options.http2) http2VersionOf(options, versions);
}

function checkHeader(name: string, value: unknown): void {
  if (/^(?:connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i.test(name)) {
    const remedy = /protocol$/i.test(name) ? 'use option protocols' : 'it belongs to the opening handshake';
    throw invalid(`option headers must not have ${name}; ${remedy}`);
  }
  try {
    validateHeaderName(name);
    for (const item of Array.isArray(value) ? value : [value]) validateHeaderValue(name, item);
  } catch (cause) {
    throw invalid(`option headers must have names and values that Node accepts: ${(cause as Error).message}`, cause);
  }
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function versionsOf({ version, versions }: Pick<OpeningOptions, 'version' | 'versions'>): Versions {
  if (version !== undefined && versions !== undefined) {
    throw invalid('options version and versions exclude each other; versions alone has them all');
  }
  const wanted = versions ?? [version ?? defaults.version];
  for (const known of wanted) protocolVersion(known, versions === undefined ? 'version' : 'versions');
  // The rule of the option asks for at least one.
  return wanted as unknown as Versions;
}

/**
 * Returns the version to use over HTTP/2.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function http2VersionOf({ agent }: Pick<NodeOptions, 'agent'>, versions: Versions): Version {
  if (agent)
    throw invalid('options http2 and agent exclude each other; for a proxy, give http2 a session that goes through it');
  const version = versions.find((known) => http2Versions.includes(known));
  if (version === undefined) {
    throw invalid(`option http2 needs version ${http2Versions.join(' or ')}, not ${versions.join(', ')}`);
  }
  return version;
}

function checkProtocols(protocols: readonly string[], versions: Versions): void {
  if (!protocols.every(isToken) || new Set(protocols).size < protocols.length) {
    throw invalid(`option protocols must be an array of distinct names (tokens), not ${describeValue(protocols)}`);
  }
  if (protocols.length > 1 && !versions.every((version) => protocolVersion(version).capabilities.declineProtocol)) {
    throw invalid(`option protocols must have one name at the most for version ${versions.join(', ')}`);
  }
}

function invalid(detail: string, cause?: unknown): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail, cause === undefined ? {} : { cause });
}
