import type { IncomingHttpHeaders } from 'node:http';
import type { ProtocolVersion, Version } from '../contracts';
import { describeValue } from '../describeValue';
import { WebSocketError } from '../errors';
import { hixie75 } from './hixie75';
import { hixie76 } from './hixie76';
import { hybi03 } from './hybi03';
import { rfc6455 } from './rfc6455';

/**
 * Every protocol that the library speaks, best first; a request belongs to the first that claims it. A new one is a file beside
 * this and a place in this list.
 */
const supported: readonly ProtocolVersion[] = [rfc6455, hybi03, hixie76, hixie75];

export const knownVersions: readonly Version[] = supported.flatMap((wire) => wire.versions);

/** What can be spoken over HTTP/2. */
export const http2Versions: readonly Version[] = supported.flatMap(
  ({ extendedConnect }) => extendedConnect?.version ?? [],
);

/** What a server accepts unless told otherwise. */
export const defaultVersions: readonly Version[] = supported.flatMap((wire) => (wire.byDefault ? wire.versions : []));

/** The version that a request asks for, known or not. */
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

/** The protocol of a version, or undefined if the library does not speak it. */
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
