import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Context } from 'mocha';

const { CI, PATH = '' } = process.env;

/** A program from outside of npm that some specs need. */
export interface Tool {
  readonly name: string;
  readonly command: string;
  readonly path: string | undefined;
}

export const chromium: Tool = {
  name: 'Chromium',
  command: 'apt-get install chromium',
  path: find('/usr/bin/chromium', 'chromium', 'chromium-browser', 'google-chrome').find(isExecutable),
};

export const python: Tool = {
  name: 'Python with its websockets package',
  command: 'apt-get install python3-websockets',
  path: find('/usr/bin/python3', 'python3').find((path) => isExecutable(path) && hasWebSockets(path)),
};

export const nginx: Tool = {
  name: 'nginx',
  command: 'apt-get install nginx-light',
  path: find('/usr/sbin/nginx', 'nginx').find(isExecutable),
};

export const haproxy: Tool = {
  name: 'HAProxy',
  command: 'apt-get install haproxy',
  path: find('/usr/sbin/haproxy', 'haproxy').find(isExecutable),
};

export const natsServer: Tool = {
  name: 'NATS',
  command: 'apt-get install nats-server',
  path: find('/usr/sbin/nats-server', '/usr/bin/nats-server', 'nats-server').find(isExecutable),
};

export const redisServer: Tool = {
  name: 'Redis',
  command: 'apt-get install redis-server',
  path: find('/usr/bin/redis-server', 'redis-server').find(isExecutable),
};

export const nghttpx: Tool = {
  name: 'nghttpx',
  command: 'apt-get install nghttp2-proxy',
  path: find('/usr/sbin/nghttpx', 'nghttpx').find(isExecutable),
};

export const nghttp: Tool = {
  name: 'nghttp',
  command: 'apt-get install nghttp2-client',
  path: find('/usr/bin/nghttp', 'nghttp').find(isExecutable),
};

export const curl: Tool = {
  name: 'curl',
  command: 'apt-get install curl',
  path: find('/usr/bin/curl', 'curl').find(isExecutable),
};

export const tinyproxy: Tool = {
  name: 'Tinyproxy',
  command: 'apt-get install tinyproxy',
  path: find('/usr/bin/tinyproxy', 'tinyproxy').find(isExecutable),
};

export const microsocks: Tool = {
  name: 'microsocks',
  command: 'apt-get install microsocks',
  path: find('/usr/bin/microsocks', 'microsocks').find(isExecutable),
};

/** What makes a network of its own, without being root. */
export const namespaces: Tool = {
  name: 'unshare and ip, and the right to make user namespaces',
  command: 'apt-get install util-linux iproute2',
  path: find('/usr/bin/unshare', 'unshare').find((path) => isExecutable(path) && canUnshare(path)),
};

/**
 * The tool's path. Without the tool, the specs of the calling hook are skipped, and it is said what they need; where
 * everything must be tested (the variable CI is set) they fail.
 */
export function need({ name, command, path }: Tool, context: Context): string {
  if (path !== undefined) return path;
  const message = `This needs ${name}: ${command}`;
  if (CI) throw new Error(message);
  console.log(`    ${message}`);
  return context.skip();
}

/** The usual place, then every place that PATH names. */
function find(usualPath: string, ...names: string[]): string[] {
  const folders = PATH.split(delimiter).filter((folder) => folder !== '');
  return [usualPath, ...names.flatMap((name) => folders.map((folder) => join(folder, name)))];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hasWebSockets(path: string): boolean {
  return spawnSync(path, ['-c', 'import websockets']).status === 0;
}

function canUnshare(path: string): boolean {
  return spawnSync(path, ['--user', '--map-root-user', '--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;
}
