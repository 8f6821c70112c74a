/**
 * `RUNTIME contract.mjs FILE [GREP]`: runs the bundled contract by Mocha, and prints a line of JSON for each spec: its title, and its error if it
 * failed. Whether that is as it should be, tryRuntimes.ts knows.
 */
import { pathToFileURL } from 'node:url';
import Mocha from 'mocha';

const [file, grep] = process.argv.slice(2);
const mocha = new Mocha({ timeout: 5000, reporter: class Silent {}, ...(grep && { grep }) });
mocha.suite.emit('pre-require', globalThis, file, mocha);
await import(pathToFileURL(file));
const tell = (test, error) =>
  console.log(JSON.stringify({ title: test.fullTitle(), error: error && String(error.message).split('\n')[0] }));
mocha
  .run(() => process.exit(0))
  .on('pass', (test) => tell(test))
  .on('fail', tell);
