import { itKeepsTheContract } from './contract';
import { startInOwnProcess } from './inOwnProcess';

describe('Restify', () => itKeepsTheContract(() => startInOwnProcess('restify.ts'), { startsOnce: true }));
