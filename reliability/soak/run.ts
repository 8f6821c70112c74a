/**
 * `npm run soak [-- [--tenth] [--seconds N] [scenario ...]]`: load that a server must stand. `held` takes 30 minutes, or N seconds; with `--tenth`, all is
 * a tenth as large, and `held` takes 20 seconds. The server and the clients are on this machine.
 */
import { type Result, type Size, scenarios } from './scenarios';
import { ServerProcess } from './serverProcess';

const parameters = process.argv.slice(2);
const tenth = parameters.includes('--tenth');
if (tenth) parameters.splice(parameters.indexOf('--tenth'), 1);
const at = parameters.indexOf('--seconds');
const seconds = at === -1 ? (tenth ? 20 : 1800) : Number(parameters.splice(at, 2)[1]);
for (const name of parameters)
  if (!(name in scenarios)) throw new Error(`${name} is no scenario: ${Object.keys(scenarios).join(', ')}`);

const size: Size = { part: tenth ? 0.1 : 1, seconds };

async function soak(name: string): Promise<boolean> {
  await using server = await ServerProcess.start();
  const result = (await scenarios[name]?.(server, size)) as Result;
  // What the server itself has seen; a cut or a bomb is an error there, too.
  console.log(`${name}: ${result.figures}${result.wrong.length > 0 ? `: WRONG: ${result.wrong.join('; ')}` : ''}`);
  return result.wrong.length === 0;
}

async function main(): Promise<void> {
  const chosen = parameters.length > 0 ? parameters : Object.keys(scenarios);
  let wrong = 0;
  for (const name of chosen) if (!(await soak(name))) wrong++;
  console.log(`${chosen.length - wrong} of ${chosen.length} scenarios hold`);
  if (wrong > 0) process.exitCode = 1;
}

void main();
