import { parseArgs } from 'node:util';
import { findBuild } from './builds';
import { type ContenderName, contenders } from './contenders';

/** What was asked for. */
export interface Wishes {
  /** Part of the names of scenarios; '' for all. */
  readonly part: string;
  readonly smoke: boolean;
  readonly profile: boolean;
  readonly only: readonly ContenderName[] | undefined;
  /** The `dist` folder of another build of this library, which is compared with the build of this folder. */
  readonly against: string | undefined;
}

export function readCommandLine(): Wishes {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      against: { type: 'string' },
    },
  });
  for (const name of values.only ?? [])
    if (!(name in contenders)) throw new Error(`--only takes one of: ${Object.keys(contenders).join(' | ')}`);
  return {
    part: positionals.join(' '),
    smoke: values.smoke,
    profile: values.profile,
    only: values.only as ContenderName[] | undefined,
    against: values.against === undefined ? undefined : findBuild(values.against),
  };
}
