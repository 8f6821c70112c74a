/** `node check.mjs TARBALL`: what publint says about the tarball. */
import { readFile } from 'node:fs/promises';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

/**
 * The one file for bundlers that is CommonJS: it is for `require()` only, and gives it the class itself, as ws does. The ES module that it
 * requires is the one that `import` gets, so a bundle has that once.
 */
const meant = { code: 'EXPORTS_MODULE_SHOULD_BE_ESM', path: 'exports ./ws require module' };
const isMeant = ({ code, path }) => code === meant.code && path.join(' ') === meant.path;

const tarball = new Uint8Array(await readFile(process.argv[2])).buffer;
const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
const faults = messages.filter((message) => !isMeant(message));
for (const fault of faults) console.error(`publint: ${formatMessage(fault, pkg)}`);
if (!messages.some(isMeant)) console.error(`publint no longer says ${meant.code}: remove the exception`);
if (faults.length > 0 || !messages.some(isMeant)) process.exitCode = 1;
else console.log('publint: nothing to say');
