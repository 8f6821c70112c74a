/** `npm run runners`: runs tests of the packed library under Jest, in its environments for Node and for browsers, Vitest and `node --test`. */
import { join } from 'node:path';
import { run, unpack } from './unpack';

const folder = join(__dirname, 'runners');

unpack(folder);
run(folder, 'npm', 'test', '--silent');
