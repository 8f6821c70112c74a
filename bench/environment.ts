import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';

/** Where and of what figures were taken. */
export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: string;
  readonly system: string;
  readonly node: string;
  readonly versions: Record<string, string>;
}

export function describeEnvironment(): Environment {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release().split('.').slice(0, 2).join('.')}`,
    node: process.version,
    versions: readVersions(),
  };
}

/** Of this library, and of what is installed to be measured against it. */
function readVersions(): Record<string, string> {
  const read = (...path: string[]) =>
    JSON.parse(readFileSync(join(__dirname, ...path, 'package.json'), 'utf8')) as {
      version: string;
      dependencies: Record<string, string>;
    };
  const peers = Object.keys(read('.').dependencies).map((name) => [name, read('node_modules', name).version]);
  return { 'node-websocket-handler': read('..').version, ...Object.fromEntries(peers) };
}
