/** `npm run runners`: runs tests of the packed library under Jest, in its environments for Node and for browsers, and under Vitest. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from './pack';

const folder = join(__dirname, 'runners');
const installed = join(folder, 'node_modules', 'node-websocket-handler');

function run(command: string, ...parameters: string[]): void {
  execFileSync(command, parameters, { cwd: folder, stdio: 'inherit' });
}

/** Unpacked, not installed: that would write the tarball into package-lock.json. The dependencies are those of this folder's parent. */
function unpack(): void {
  const base = mkdtempSync(join(tmpdir(), 'runners-'));
  try {
    const tarball = pack(base);
    rmSync(installed, { recursive: true, force: true });
    mkdirSync(installed, { recursive: true });
    run('tar', '-xzf', tarball, '-C', installed, '--strip-components', '1');
  } finally {
    rmSync(base, { recursive: true });
  }
}

if (!existsSync(join(folder, 'node_modules', 'vitest'))) run('npm', 'ci', '--no-audit', '--no-fund', '--silent');
unpack();
run('npm', 'test', '--silent');
