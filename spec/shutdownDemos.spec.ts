import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { connect, type WebSocket } from '../lib/webSocketHandler';
import { type RunningProgram, run, stopPrograms } from './support/runClient';

const root = join(__dirname, '..');
const demos = ['sigterm', 'kubernetes', 'cluster'];
let built: string;

/** Each demo in one file: to compile the library in each of the many processes would take longer than all else. */
function buildDemos(): void {
  built = mkdtempSync(join(tmpdir(), 'shutdown-'));
  const inputs = demos.map((name) => `demo/shutdown/${name}.ts`);
  const options = ['--platform', 'node', '--format', 'cjs', '--dir', built];
  execFileSync(join(root, 'node_modules/.bin/rolldown'), [...inputs, ...options], { cwd: root, stdio: 'pipe' });
}

/** Starts a program of `demo/shutdown`, on free ports. */
function start(name: string, env: Record<string, string> = {}): RunningProgram {
  return run([process.execPath, join(built, `${name}.js`)], { env: { PORT: '0', ADMIN_PORT: '0', ...env } });
}

/** Waits until the program prints this, and returns the number that is in it. */
async function printed(program: RunningProgram, pattern: RegExp): Promise<number> {
  const find = () => pattern.exec(program.output.toString());
  await program.until(() => find() !== null);
  return Number(find()?.[1]);
}

const address = /running at http:\/\/localhost:(\d+)/;

/** A client that has received its first echo. */
async function openClient(port: number): Promise<WebSocket> {
  const ws = connect(`ws://localhost:${port}`);
  ws.write('hello');
  await once(ws, 'data');
  return ws;
}

describe('The demo of a shutdown', () => {
  before(buildDemos);
  afterEach(stopPrograms);
  after(() => rmSync(built, { recursive: true }));

  it('sigterm.ts: closes its WebSockets with 1001 and ends with the code 0', async () => {
    const program = start('sigterm');
    const ws = await openClient(await printed(program, address));
    program.kill('SIGTERM');
    expect(await ws.resume().whenClosed()).to.deep.equal({ code: 1001, reason: '', wasClean: true });
    const { code, output, complaints } = await program.ending;
    expect([code, complaints]).to.deep.equal([0, '']);
    expect(output).to.match(/closed 1, dropped 0\n$/);
  });

  it('kubernetes.ts: is not ready while it drains, closes its WebSockets before it answers the hook, and ends on SIGTERM', async () => {
    const program = start('kubernetes', { DRAIN_DELAY: '100' });
    const admin = `http://localhost:${await printed(program, /Probes at (\d+)/)}`;
    const status = async () => (await fetch(`${admin}/ready`)).status;
    const ws = await openClient(await printed(program, address));
    expect(await status()).to.equal(200);
    const hook = fetch(`${admin}/drain`);
    const closed = ws.resume().whenClosed();
    const answer = await hook;
    expect(await status()).to.equal(503);
    expect(await answer.text()).to.equal('closed 1, dropped 0\n');
    expect(await closed).to.deep.equal({ code: 1001, reason: '', wasClean: true });
    program.kill('SIGTERM');
    const { code, complaints } = await program.ending;
    expect([code, complaints]).to.deep.equal([0, '']);
  });

  it('cluster.ts: restarts its workers one after the other on SIGHUP, and each closes its WebSockets with 1012', async () => {
    const program = start('cluster', { WORKERS: '2' });
    await printed(program, /all workers are listening/);
    const port = await printed(program, address);
    const before = connect(`ws://localhost:${port}`);
    const [old] = await once(before, 'data');
    const failed = once(before, 'error');
    program.kill('SIGHUP');
    const [error] = await failed;
    expect([error.code, error.closeCode]).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', 1012]);
    const after = connect(`ws://localhost:${port}`);
    expect((await once(after, 'data'))[0])
      .to.match(/^worker \d+$/)
      .and.not.equal(old);
    after.end();
    await after.resume().whenClosed();
    await printed(program, /restarted/);
    program.kill('SIGTERM');
    const { code, complaints } = await program.ending;
    expect([code, complaints]).to.deep.equal([0, '']);
  });
});
