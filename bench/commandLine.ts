import { parseArgs } from 'node:util';
import { type ContenderName, contenders } from './contenders';

/** What was asked for. */
export interface Wishes {
  /** Part of the names of scenarios; '' for all. */
  readonly part: string;
  readonly smoke: boolean;
  readonly profile: boolean;
  readonly only: readonly ContenderName[] | undefined;
}

export function readCommandLine(): Wishes {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
    },
  });
  for (const name of values.only ?? [])
    if (!(name in contenders)) throw new Error(`--only takes one of: ${Object.keys(contenders).join(' | ')}`);
  return {
    part: positionals.join(' '),
    smoke: values.smoke,
    profile: values.profile,
    only: values.only as ContenderName[] | undefined,
  };
}
