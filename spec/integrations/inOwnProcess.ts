import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Demo } from '../../demo/frameworks/demo';

const modules = join(__dirname, '../../demo/frameworks/node_modules');

const program = `
  const [, file, framework] = process.argv;
  const frameworks = framework ? [require('node:module').createRequire(file)(framework)] : [];
  require(file).start(0, ...frameworks).then(({ port, close }) => {
    process.send(port);
    process.once('message', async () => {
      await close();
      process.send('closed');
    });
    process.once('disconnect', () => process.exit());
  });`;

/**
 * Starts an example in a process of its own: some frameworks change classes of Node, or add listeners to the process, and other specs run
 * in this one.
 * @param name the name of its file in demo/frameworks/
 * @param framework the name of the package to start it with. Default: the one that the example imports
 */
export async function startInOwnProcess(name: string, framework?: string): Promise<Demo> {
  const file = join(__dirname, '../../demo/frameworks', name);
  const execArgv = ['--no-deprecation', '--require', 'ts-node/register', '--eval', program];
  const child = fork(file, framework === undefined ? [] : [framework], {
    execArgv,
    env: { ...process.env, NODE_ENV: 'development', NEXT_TELEMETRY_DISABLED: '1' },
    silent: true,
  });
  let printed = '';
  child.stderr?.on('data', (chunk) => {
    printed += String(chunk);
  });
  child.stdout?.on('data', (chunk) => {
    printed += String(chunk);
  });
  const exited = once(child, 'exit');
  const early = exited.then(([code]) => Promise.reject(new Error(`${name} exited with ${code}:\n${printed}`)));
  early.catch(() => {});
  const next = async () => ((await Promise.race([once(child, 'message'), early])) as unknown[])[0];
  const port = Number(await next());
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = next();
    child.send('close');
    await closed;
    // Compilers and watchers may go on.
    child.kill();
    await exited;
  };
  return {
    port,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

const [node = 0] = process.versions.node.split('.').map(Number);

/** A package of demo/frameworks/. */
export interface Version {
  readonly name: string;
  readonly version: string;
}

/** The packages, of those with these names, that run on this Node. */
export function versionsForThisNode(...names: readonly string[]): Version[] {
  return names.flatMap((name) => {
    const { version, engines } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
    const [, oldest = '0'] = /(\d+)/.exec(engines?.node ?? '') ?? [];
    return Number(oldest) <= node ? { name, version } : [];
  });
}
