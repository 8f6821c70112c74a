import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const folder = join(__dirname, '../../scripts/adapted');
const requireAdapted = createRequire(join(folder, 'package.json'));

/**
 * Returns a package of `scripts/adapted`, as it is published. Where it asks for ws, it gets `node-websocket-handler/ws`.
 * @throws Error if the packages are not installed
 */
// biome-ignore lint/suspicious/noExplicitAny: the packages are not there when the types are checked
export function adapted(name: string): any {
  if (!existsSync(join(folder, 'node_modules')))
    throw new Error('The packages of scripts/adapted are missing: npm ci --prefix scripts/adapted');
  return requireAdapted(name);
}
