import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const markdown = readFileSync(join(__dirname, '../../docs/recipes.md'), 'utf8');

/** The blocks of code below a heading of docs/recipes.md, up to the next heading. */
function blocksOf(heading: string): string[] {
  const [, section] = markdown.split(new RegExp(`^#+ ${heading}\n`, 'm'));
  if (section === undefined) throw new Error(`docs/recipes.md has no heading ${heading}`);
  const [untilNext = ''] = section.split(/^#+ /m);
  return [...untilNext.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = '']) => code);
}

const AsyncFunction = (async () => {}).constructor as new (
  ...parameters: string[]
) => (...values: unknown[]) => Promise<void>;

/**
 * Runs a block of code of docs/recipes.md as it stands there, behind the one that defines `each()`.
 * @param index which of the blocks below the heading
 * @param names what the code uses, by name
 */
export function runRecipe(heading: string, index: number, names: Readonly<Record<string, unknown>>): Promise<void> {
  const [definition = ''] = blocksOf('Codecs');
  const block = blocksOf(heading)[index];
  if (block === undefined) throw new Error(`docs/recipes.md has no block ${index} below ${heading}`);
  return new AsyncFunction(...Object.keys(names), `${definition}\n${block}`)(...Object.values(names));
}
