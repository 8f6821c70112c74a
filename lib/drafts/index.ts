import type { Draft, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { rfc6455 } from './rfc6455';

/** Every protocol that the library speaks, best first. A new one is a file beside this and a place in this list. */
const drafts: readonly Draft[] = [rfc6455];

export const knownVersions: readonly Version[] = drafts.flatMap((draft) => draft.versions);

/** The protocol of a version, or undefined if the library does not speak it. */
export function findDraft(version: string): { draft: Draft; version: Version } | undefined {
  for (const draft of drafts) {
    const known = draft.versions.find((candidate) => candidate === version);
    if (known !== undefined) return { draft, version: known };
  }
  return undefined;
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
