import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';

const root = join(__dirname, '..');

/** The files of `lib/`, by their path from the root. */
const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('lib', file).replaceAll(sep, '/'));

/** Whether nothing is left of a file at run time, but that it is a module. */
function holdsOnlyTypes(file: string): boolean {
  const options: ts.CompilerOptions = { module: ts.ModuleKind.ESNext, removeComments: true };
  const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), { compilerOptions: options });
  return outputText.trim() === 'export {};';
}

describe('The coverage', () => {
  // Files that are never loaded count as not covered, and so would those of which there is nothing to load.
  it('leaves out the files of lib/ that hold only types, and no others', () => {
    const { exclude } = JSON.parse(readFileSync(join(root, '.c8rc.json'), 'utf8'));
    expect(exclude).to.deep.equal(files.filter(holdsOnlyTypes).sort());
  });
});
