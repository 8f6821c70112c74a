import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from './pack';

/** Runs a program in a folder, and shows what it prints. */
export function run(folder: string, command: string, ...parameters: string[]): void {
  execFileSync(command, parameters, { cwd: folder, stdio: 'inherit' });
}

/**
 * Prepares a folder of tools in `scripts/`, which has a package.json of its own: installs its packages, if they are not there, and puts the
 * packed library beside them. That is unpacked, not installed, which would write the tarball into package-lock.json; its dependencies are
 * those of this project.
 * @param use is given the path of the tarball, which is removed afterwards
 */
export function unpack(folder: string, use: (tarball: string) => void = () => {}): void {
  if (!existsSync(join(folder, 'node_modules'))) run(folder, 'npm', 'ci', '--no-audit', '--no-fund', '--silent');
  const base = mkdtempSync(join(tmpdir(), 'unpacked-'));
  try {
    const tarball = pack(base);
    const installed = join(folder, 'node_modules', 'node-websocket-handler');
    rmSync(installed, { recursive: true, force: true });
    mkdirSync(installed, { recursive: true });
    run(folder, 'tar', '-xzf', tarball, '-C', installed, '--strip-components', '1');
    use(tarball);
  } finally {
    rmSync(base, { recursive: true });
  }
}
