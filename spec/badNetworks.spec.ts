import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { namespaces, need } from './support/tools';

const script = join(__dirname, 'support', 'badNetwork.ts');

/** What is sent over each network, so that it takes a few seconds. */
const networks = {
  'small packets': { messages: 20, size: 256 * 1024 },
  'slow link': { messages: 4, size: 500 },
  'flapping link': { messages: 200, size: 64 * 1024 },
} as const;

describe('A bad network', function () {
  this.timeout(120_000);
  let unshare: string;

  before(function () {
    unshare = need(namespaces, this);
  });

  for (const [network, work] of Object.entries(networks))
    it(`loses nothing, changes nothing, and ends no connection: ${network}`, async () => {
      const parameters = [
        process.execPath,
        '--require',
        'ts-node/register',
        script,
        JSON.stringify({ network, ...work }),
      ];
      const { stdout } = await promisify(execFile)(unshare, ['--user', '--map-root-user', '--net', ...parameters]);
      expect(JSON.parse(stdout)).to.deep.equal({ count: work.messages, intact: true, clean: [true, true] });
    });
});
