/**
 * `npm run audit:signatures`: checks the signatures of the registry, and the statements of where packages were built, of all installed
 * packages. It ends with 1 if one of them is wrong or missing, and with 2 if they could not be checked, because the registry has no keys, or
 * the keys cannot be fetched.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

interface Package {
  readonly name: string;
  readonly version: string;
}

interface Verdict {
  readonly exitCode: 0 | 1 | 2;
  readonly message: string;
}

/** @param output what `npm audit signatures --json` has printed */
export function judge(output: string): Verdict {
  const { invalid, missing, error } = parse(output);
  if (invalid === undefined || missing === undefined) {
    const why = error?.summary ?? (output.trim() || 'npm has printed nothing');
    return {
      exitCode: 2,
      message: `The signatures were not checked. This registry does not offer it, or cannot be reached: ${why}`,
    };
  }
  const wrong = [...named('invalid', invalid), ...named('missing', missing)];
  return wrong.length === 0
    ? { exitCode: 0, message: 'All installed packages have the signatures of their registry.' }
    : { exitCode: 1, message: wrong.join('\n') };
}

interface Output {
  readonly invalid?: readonly Package[];
  readonly missing?: readonly Package[];
  readonly error?: { readonly summary?: string };
}

function parse(output: string): Output {
  try {
    return JSON.parse(output);
  } catch {
    return {}; // the verdict shows what was printed
  }
}

const named = (fault: string, packages: readonly Package[]) =>
  packages.map(({ name, version }) => `${fault} signature: ${name}@${version}`);

if (require.main === module) {
  // A registry that is not reachable is named after one try.
  const parameters = ['audit', 'signatures', '--json', '--fetch-retries=0'];
  const { stdout, stderr, error } = spawnSync('npm', parameters, { cwd: join(__dirname, '..'), encoding: 'utf8' });
  if (error !== undefined) throw error;
  const { exitCode, message } = judge(stdout || stderr);
  console.log(message);
  process.exitCode = exitCode;
}
