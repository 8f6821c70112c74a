/**
 * `npm run types:matrix [-- --all]`: packs the library, installs it, and type-checks `program.ts` against it as users do who differ in their
 * version of @types/node, in how they resolve modules, and in what they are strict about. Nothing is left unchecked: skipLibCheck is off.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { pack } from '../pack';

const nodeVersions = [20, 22, 24, 26];
const { ModuleKind, ModuleResolutionKind } = ts;

const resolutions: Readonly<Record<string, ts.CompilerOptions>> = {
  // TypeScript 6 still has it, and says that 7 will not.
  node10: { module: ModuleKind.CommonJS, moduleResolution: ModuleResolutionKind.Node10, ignoreDeprecations: '6.0' },
  node16: { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 },
  nodenext: { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext },
  bundler: { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler },
};

interface Combination {
  readonly node: number;
  readonly resolution: string;
  readonly dom: boolean;
  readonly exact: boolean;
}

/**
 * @param all whether to make every combination; otherwise a quarter of them, in which each two values of different settings meet: for each
 *   row and for each column, the two bits of `row ^ column` take all four values
 */
function combine(all: boolean): Combination[] {
  return nodeVersions.flatMap((node, row) =>
    Object.keys(resolutions).flatMap((resolution, column) =>
      [0, 1, 2, 3]
        .filter((bits) => all || bits === (row ^ column))
        .map((bits) => ({ node, resolution, dom: (bits & 1) === 0, exact: (bits & 2) === 0 })),
    ),
  );
}

/** Combinations that are named for one fault. */
const shown = 4;

/** Parsed declarations, by file: they are the same in all combinations of one folder, and parsing takes half of the time. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** @returns what the compiler says */
function check(folder: string, { resolution, dom, exact }: Combination): string[] {
  const options: ts.CompilerOptions = {
    ...resolutions[resolution],
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', ...(dom ? ['lib.dom.d.ts', 'lib.dom.iterable.d.ts'] : [])],
    types: ['node'],
    typeRoots: [join(folder, 'node_modules/@types')],
    exactOptionalPropertyTypes: exact,
  };
  const host = ts.createCompilerHost(options);
  const parse = host.getSourceFile.bind(host);
  host.getCurrentDirectory = () => folder;
  host.getSourceFile = (file, languageVersion, ...others) => {
    // What a file is, a module of Node or of a bundler, is kept with it.
    const key = `${file} ${JSON.stringify(languageVersion)}`;
    if (!parsed.has(key)) parsed.set(key, parse(file, languageVersion, ...others));
    return parsed.get(key);
  };
  const program = ts.createProgram([join(folder, 'program.ts')], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n    ');
    if (file === undefined) return text;
    return `${relative(folder, file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${text}`;
  });
}

/** A project of a user, with the tarball and these types installed. */
function install(folder: string, tarball: string, node: number): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true }));
  const packages = [tarball, `@types/node@${node}`];
  const parameters = ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', ...packages];
  execFileSync('npm', parameters, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  copyFileSync(join(__dirname, 'program.ts'), join(folder, 'program.ts'));
}

/** Type-checks all of these combinations. */
function checkAll(
  combinations: readonly Combination[],
  base: string,
): { faults: Map<string, string[]>; passed: number } {
  const faults = new Map<string, string[]>();
  let passed = 0;
  const tarball = pack(base);
  for (const node of nodeVersions) {
    const folder = join(base, `node${node}`);
    install(folder, tarball, node);
    parsed.clear();
    for (const combination of combinations.filter((each) => each.node === node)) {
      const found = check(folder, combination);
      if (found.length === 0) passed++;
      for (const fault of found) faults.set(fault, [...(faults.get(fault) ?? []), nameOf(combination)]);
    }
  }
  return { faults, passed };
}

function nameOf({ node, resolution, dom, exact }: Combination): string {
  return `@types/node ${node}, ${resolution}${dom ? ', DOM' : ''}${exact ? ', exactOptionalPropertyTypes' : ''}`;
}

function main(): void {
  const combinations = combine(process.argv.includes('--all'));
  const base = mkdtempSync(join(tmpdir(), 'types-'));
  try {
    const { faults, passed } = checkAll(combinations, base);
    for (const [fault, names] of faults) {
      const more = names.length > shown ? ' | …' : '';
      console.error(`${fault}\n  in ${names.length} combinations: ${names.slice(0, shown).join(' | ')}${more}`);
    }
    console.log(`types: ${passed} of ${combinations.length} combinations pass`);
    if (passed < combinations.length) process.exitCode = 1;
  } finally {
    rmSync(base, { recursive: true });
  }
}

main();
