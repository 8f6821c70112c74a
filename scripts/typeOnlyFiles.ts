import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';

const root = join(__dirname, '..');

/**
 * The files of lib/ of which nothing is left at run time. They are not counted for the coverage: a file that is never loaded counts as not
 * covered, and nobody loads these.
 */
export function typeOnlyFiles(): string[] {
  return readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join('lib', file).replaceAll(sep, '/'))
    .filter(holdsOnlyTypes);
}

function holdsOnlyTypes(file: string): boolean {
  const options: ts.CompilerOptions = { module: ts.ModuleKind.ESNext, removeComments: true };
  const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), { compilerOptions: options });
  return outputText.trim() === 'export {};';
}
