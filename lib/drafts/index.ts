import type { IncomingHttpHeaders } from 'node:http';
import type { Draft, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { hixie75 } from './hixie75';
import { hixie76 } from './hixie76';
import { hybi03 } from './hybi03';
import { rfc6455 } from './rfc6455';

/**
 * Every protocol that the library speaks, best first; a request belongs to the first that claims it. A new one is a file beside
 * this and a place in this list.
 */
const drafts: readonly Draft[] = [rfc6455, hybi03, hixie76, hixie75];

export const knownVersions: readonly Version[] = drafts.flatMap((draft) => draft.versions);

/** What can be spoken over HTTP/2. */
export const http2Versions: readonly Version[] = drafts.flatMap(
  ({ extendedConnect }) => extendedConnect?.version ?? [],
);

/** What a server accepts unless told otherwise. */
export const defaultVersions: readonly Version[] = drafts.flatMap((draft) => (draft.byDefault ? draft.versions : []));

/** The version that a request asks for, known or not. */
export function claimedVersion(headers: IncomingHttpHeaders): string | undefined {
  for (const draft of drafts) {
    const version = draft.claims(headers);
    if (version !== undefined) return version;
  }
  return undefined;
}

const byVersion: ReadonlyMap<string, { readonly draft: Draft; readonly version: Version }> = new Map(
  drafts.flatMap((draft) => draft.versions.map((version) => [version, { draft, version }] as const)),
);

/** The protocol of a version, or undefined if the library does not speak it. */
export function findDraft(version: string): { readonly draft: Draft; readonly version: Version } | undefined {
  return byVersion.get(version);
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function draftFor(version: Version): Draft {
  const found = findDraft(version);
  if (found !== undefined) return found.draft;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `the option version takes one of ${knownVersions.map((known) => `'${known}'`).join(', ')}`,
  );
}
