import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { namespaces, need } from './support/tools';

const script = join(__dirname, 'support', 'deadPeer.ts');

/** Runs the script in a network namespace, where packets can be lost without anybody else's noticing. */
async function inNamespace(unshare: string, settings: object): Promise<unknown> {
  const node = [process.execPath, '--require', 'ts-node/register', script, JSON.stringify(settings)];
  // It ends of itself, or this fails.
  const { stdout } = await promisify(execFile)(unshare, ['--user', '--map-root-user', '--net', ...node], {
    timeout: 15_000,
  });
  return JSON.parse(stdout);
}

describe('A peer whose packets are lost without a closed socket', () => {
  let unshare: string;

  before(function () {
    unshare = need(namespaces, this);
  });

  it('ends the connection within interval plus timeout, on the server and on the client, and the process can exit', async () => {
    const heartbeat = { interval: 600, timeout: 400 };
    const fates = (await inNamespace(unshare, { heartbeat })) as { code: string; closeCode: number; after: number }[];
    for (const { code, closeCode, after } of fates) {
      expect([code, closeCode]).to.deep.equal(['WS_ERR_HEARTBEAT_TIMEOUT', 1006]);
      // The time is mocked, so these are the bounds that the documentation of `heartbeat` gives.
      expect(after).to.be.within(700, 1000);
    }
    expect(fates.length).to.equal(2);
  });

  it('keeps its connection if the packets arrive again in time, and no message is lost', async () => {
    const outcome = await inNamespace(unshare, { heartbeat: { interval: 300, timeout: 2000 }, outage: 600 });
    expect(outcome).to.deep.equal({ echo: 'still there?', clean: [true, true] });
  });
});
