/**
 * `npm run bundlers`: bundles programs that use the packed library, and runs the bundles where nothing but Node is there; and lets publint and
 * Are The Types Wrong check what is published.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, unpack } from './unpack';

const folder = join(__dirname, 'bundlers');

/** Runs each bundle from a folder in which no package can be found but those that NestJS consists of. */
function runBundles(): void {
  const bundles = mkdtempSync(join(tmpdir(), 'bundles-'));
  try {
    run(folder, 'node', 'bundle.mjs', bundles);
    mkdirSync(join(bundles, 'node_modules'));
    for (const name of ['@nestjs', 'reflect-metadata', 'rxjs'])
      symlinkSync(join(folder, 'node_modules', name), join(bundles, 'node_modules', name));
    for (const bundle of readdirSync(bundles)
      .filter((name) => /\.[cm]js$/.test(name))
      .sort()) {
      const output = execFileSync('node', [bundle], { cwd: bundles, encoding: 'utf8' });
      if (output !== 'it works\n') throw new Error(`${bundle} printed ${output}`);
      console.log(`${bundle}: works`);
    }
  } finally {
    rmSync(bundles, { recursive: true });
  }
}

function check(tarball: string): void {
  run(folder, 'node', 'check.mjs', tarball);
  run(folder, 'npx', '--no-install', 'attw', '--quiet', tarball);
}

unpack(folder, check);
runBundles();
