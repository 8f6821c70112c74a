import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Demo } from '../../demo/frameworks/demo';

const program = `
  require(process.argv[1]).start(0).then(({ port, close }) => {
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
 */
export async function startInOwnProcess(name: string): Promise<Demo> {
  const file = join(__dirname, '../../demo/frameworks', name);
  const execArgv = ['--no-deprecation', '--require', 'ts-node/register', '--eval', program];
  const child = fork(file, {
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
