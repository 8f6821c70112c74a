import { join } from 'node:path';
import { expect } from 'chai';
import { run, stopPrograms } from './support/runClient';

const mocha = require.resolve('mocha/bin/mocha.js');
const support = join(__dirname, 'support');

/** Runs Mocha with a spec that passes and leaves this behind. */
function runLeaving(thing: string, ...options: string[]) {
  const requirements = ['ts-node/register', join(support, 'leaks.ts')].flatMap((file) => ['--require', file]);
  // What is left behind would keep that process alive.
  const common = ['--no-config', ...requirements, '--exit', ...options];
  const command = [process.execPath, mocha, ...common, join(support, 'leaving.ts')];
  return run(command, { env: { LEAVE: thing } }).ending;
}

describe('A run of the specs', function () {
  this.timeout(60_000);
  afterEach(stopPrograms);

  it('passes if it leaves nothing open', async () => {
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

  it('fails with the name of the file in a parallel run, in which the other files do not fail', async () => {
    const { code, output } = await runLeaving(
      'a timer',
      '--parallel',
      '--jobs',
      '2',
      join(__dirname, 'closeCodes.spec.ts'),
    );
    expect(output).to.include('The specs left behind: Timeout (spec/support/leaving.ts)').and.include('1 failing');
    expect(code).to.equal(1);
  });
});
