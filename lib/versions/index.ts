import type { IncomingHttpHeaders } from 'node:http';
import { describeValue } from '../codec/describeValue';
import type { ProtocolVersion, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { hixie75 } from './hixie75';
import { hixie76 } from './hixie76';
import { hybi03 } from './hybi03';
import { rfc6455 } from './rfc6455';

/**
 * All wire formats, in order of preference. A request belongs to the first one that claims it. To add one, add a file
 * to this folder and a line to this list.
 */
const supported: readonly ProtocolVersion[] = [rfc6455, hybi03, hixie76, hixie75];

/** All versions of the protocol that the library knows. */
export const knownVersions: readonly Version[] = supported.flatMap((wire) => wire.versions);

/** The versions that can be used over HTTP/2. */
export const http2Versions: readonly Version[] = supported.flatMap(
  ({ extendedConnect }) => extendedConnect?.version ?? [],
);

/** The versions that a server accepts by default. */
export const defaultVersions: readonly Version[] = supported.flatMap((wire) => (wire.byDefault ? wire.versions : []));

/**
 * Returns the version that a request asks for, also if the library does not know it; undefined for a request that is no
 * opening handshake.
 */
export function claimedVersion(headers: IncomingHttpHeaders): string | undefined {
  for (const wire of supported) {
    const version = wire.claims(headers);
    if (version !== undefined) return version;
  }
  return undefined;
}

const byVersion: ReadonlyMap<string, { readonly wire: ProtocolVersion; readonly version: Version }> = new Map(
  supported.flatMap((wire) => wire.versions.map((version) => [version, { wire, version }] as const)),
);

/** Returns the wire format of a version, or undefined for an unknown version. */
export function findProtocolVersion(
  version: string,
): { readonly wire: ProtocolVersion; readonly version: Version } | undefined {
  return byVersion.get(version);
}

/**
 * @param option the option that names the version
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function protocolVersion(version: Version, option: 'version' | 'versions' = 'version'): ProtocolVersion {
  const found = findProtocolVersion(version);
  if (found !== undefined) return found.wire;
  const known = knownVersions.map((each) => `'${each}'`).join(', ');
  const accepted = `${option === 'versions' ? 'have only' : 'be one of'} ${known}`;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `option ${option} must ${accepted}, not ${describeValue(version)}`,
  );
}
