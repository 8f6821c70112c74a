import { itKeepsTheContract } from './contract';
import { startInOwnProcess, versionsForThisNode } from './inOwnProcess';

for (const { name, version } of versionsForThisNode('restify', 'restify12'))
  describe(`Restify ${version}`, () =>
    itKeepsTheContract(() => startInOwnProcess('restify.ts', name), { startsOnce: true }));
