import { codeBlock, type Declared } from './codeBlocks';

const page = 'docs/recipes.md';

/**
 * Runs a block of code of docs/recipes.md as it stands there, behind the one that defines `each()`.
 * @param index which of the blocks below the heading
 * @param names what the code uses, by name
 */
export function runRecipe(heading: string, index: number, names: Readonly<Record<string, unknown>>): Promise<Declared> {
  return codeBlock(page, heading, index).run({ names, before: codeBlock(page, 'Codecs').code });
}
