import { join } from 'node:path';
import { expect } from 'chai';
import { run, stopPrograms } from './support/runClient';

const mocha = require.resolve('mocha/bin/mocha.js');
const support = join(__dirname, 'support');

/** Runs Mocha with a spec that passes and leaves this behind. */
function runLeaving(thing: string) {
  const requirements = ['ts-node/register', join(support, 'leaks.ts')].flatMap((file) => ['--require', file]);
  // What is left behind would keep that process alive.
  const command = [process.execPath, mocha, '--no-config', ...requirements, '--exit', join(support, 'leaving.ts')];
  return run(command, { env: { LEAVE: thing } }).ending;
}

describe('A run of the specs', function () {
  this.timeout(60_000);
  afterEach(stopPrograms);

  it('passes when nothing is left of it', async () => {
    const { code, output } = await runLeaving('nothing');
    expect(output).to.include('1 passing');
    expect(code).to.equal(0);
  });

  for (const [thing, name] of [
    ['a timer', 'Timeout'],
    ['a server', 'TCPServerWrap'],
    ['a socket', 'TCPSocketWrap'],
  ] as const) {
    it(`fails when ${thing} is left of it`, async () => {
      const { code, output } = await runLeaving(thing);
      expect(output).to.include('1 passing').and.include(`The specs left behind: ${name}`);
      expect(code).to.equal(1);
    });
  }
});
