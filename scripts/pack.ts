import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const root = join(__dirname, '..');
const sources = [
  'lib',
  'demo',
  'docs',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'rolldown.config.mjs',
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'SKILL.md',
  'llms.txt',
  'LICENSE',
];

/**
 * Packs the library as `npm publish` does. It is built in a copy, so that specs that use `dist/` can run at the same time. If the environment
 * variable `TARBALL` names a tarball, that one is copied: CI packs once for all of its steps.
 * @param folder where the tarball goes
 * @returns the path of the tarball
 */
export function pack(folder: string): string {
  const packed = process.env['TARBALL'];
  if (packed) {
    copyFileSync(packed, join(folder, basename(packed)));
    return join(folder, basename(packed));
  }
  const copy = mkdtempSync(join(tmpdir(), 'packed-'));
  try {
    // Folders of examples have packages of their own.
    const filter = (path: string) => basename(path) !== 'node_modules';
    for (const source of sources) cpSync(join(root, source), join(copy, source), { recursive: true, filter });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const parameters = ['pack', '--silent', '--pack-destination', folder];
    const output = execFileSync('npm', parameters, { cwd: copy, encoding: 'utf8' });
    return join(folder, output.trim().split('\n').at(-1) as string);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

// `ts-node scripts/pack.ts FOLDER` prints the path of the tarball.
if (require.main === module) console.log(pack(process.argv[2] as string));
