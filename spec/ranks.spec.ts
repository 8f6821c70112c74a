import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { Duplex } from 'node:stream';
import { expect } from 'chai';
import ts from 'typescript';
import { WebSocket } from '../lib/webSocketHandler';

/**
 * Who may import whom: `docs/architecture.md` explains it. The first pattern that fits a file gives its rank; a `*` stands
 * for one file name. A new file of a folder that has no line with a `*` needs a line of its own.
 */
const ranks: readonly (readonly [pattern: string, rank: number])[] = [
  ['contracts/*', 0],
  ['closeCodes.ts', 0],
  ['errors.ts', 1],
  ['diagnostics.ts', 1],
  ['codec/*', 2],
  ['nodeStreams/*', 2],
  ['versions/*', 3],
  ['options/*', 3],
  ['extensions/*', 4],
  ['limits/*', 4],
  ['framing/*', 5],
  ['connection/*', 6],
  ['websocket/*', 7],
  ['broadcast/*', 8],
  ['adapters/*', 8],
  ['transports/*', 9],
  ['transports/client/*', 10],
  ['server/*', 10],
  ['client/*', 11],
  ['pair.ts', 11],
  ['webSocketHandler.ts', 12],
  ['integrations/*', 13],
  ['adapters/ws/*', 13],
  ['topics/broker.ts', 13],
  ['topics/calls.ts', 13],
  ['topics/coalesced.ts', 13],
  ['topics/cursor.ts', 13],
  ['topics/options.ts', 13],
  ['topics/contract/*', 14],
  ['topics/drivers/*', 14],
  ['topics/nats/*', 15],
  ['topics/redis/*', 15],
  ['topics/channel/*', 14],
  ['topics/presence/*', 15],
  ['topics/*', 16],
];

/** Only these talk to Node's HTTP; whatever others know of it are types. */
const mayUseHttp = /^(?:transports|server|client|adapters\/ws)\//;
const httpModules = /^(?:node:)?https?2?$/;

const longestFile = 250;
const largestFolder = 15;

/** The files of `lib/` and what is in them; also those that the specs below make up. */
type Tree = Readonly<Record<string, string>>;

interface Import {
  readonly from: string;
  /** The path of a file in `lib/`, or the name of a module. */
  readonly to: string;
  readonly inLib: boolean;
  readonly typeOnly: boolean;
}

describe('The files of lib/', () => {
  const tree = readLib(join(__dirname, '../lib'));

  it('have a rank each', () => expectNone(filesWithoutRank(tree)));
  it('import only files of lower ranks, or of their own rank in their folder', () => expectNone(importsUpwards(tree)));
  it('have no import cycles', () => expectNone(circles(tree)));
  it('import the contracts only as types', () => expectNone(contractsAsValues(tree)));
  it('do not import a certain version, except versions/index.ts', () => expectNone(versionsByName(tree)));
  it('do not use HTTP, except the transports, the server and the client', () => expectNone(usesOfHttp(tree)));
  it('do not use frameworks, except lib/integrations/, which uses only the public exports and the check of options', () =>
    expectNone([...foreignPackages(tree), ...integrationsOfInternals(tree)]));
  it(`have no more than ${longestFile} lines of code`, () => expectNone(longFiles(tree)));
  it(`are in folders of no more than ${largestFolder} files`, () => expectNone(largeFolders(tree)));
  it('have classes with no more than one ancestor of ours', () => expectNone(deepClasses(tree)));
  it('have no protected members', () => expectNone(protectedMembers(tree)));
  it('do not inspect the stack', () => expectNone(stackInspections(tree)));
  it('put no symbols on objects of other code', () => expectNone(foreignSymbols(tree)));
});

describe('WebSocket', () => {
  it('extends Duplex directly', () => {
    expect(Object.getPrototypeOf(WebSocket)).to.equal(Duplex);
  });
});

describe('These rules', () => {
  it('find an import from a higher rank, of a value or of a type', () => {
    const [value, type, ...more] = importsUpwards({
      'codec/utf8.ts': `import { protocolVersion } from '../versions';`,
      'framing/framer.ts': `import type { WebSocket } from '../websocket/webSocket';`,
      'versions/index.ts': '',
      'websocket/webSocket.ts': '',
    });
    expect(value).to.match(/^lib\/codec\/utf8.ts \(rank 2\) may not import lib\/versions\/index.ts \(rank 3\)/);
    expect(type).to.match(/^lib\/framing\/framer.ts \(rank 5\) may not import lib\/websocket\/webSocket.ts \(rank 7\)/);
    expect(more).to.deep.equal([]);
  });

  it('find it in every way of importing', () => {
    for (const source of [
      `import '../pair';`,
      `import * as all from '../pair';`,
      `import { type PairOptions, createPair } from '../pair';`,
      `export * from '../pair';`,
      `export type { PairOptions } from '../pair';`,
      `const later = () => import('../pair');`,
      `const pair = require('../pair');`,
      `import pair = require('../pair');`,
      `let options: import('../pair').PairOptions;`,
      `let pair: typeof import('../pair');`,
    ]) {
      expect(importsUpwards({ 'codec/utf8.ts': source, 'pair.ts': '' }), source).to.have.lengthOf(1);
    }
  });

  it('find an import of a package by the core, also of its types, and of an internal file by a helper for a framework', () => {
    const source = `import type { FastifyInstance } from 'fastify';\nimport { Core } from '../websocket/core';`;
    const other = `import 'node:http';\nimport { constants } from 'minizlib';\nimport '../webSocketHandler';`;
    for (const check of [foreignPackages, integrationsOfInternals]) {
      const file = check === foreignPackages ? 'server/fastify.ts' : 'integrations/fastify.ts';
      const rest = { 'websocket/core.ts': '', 'webSocketHandler.ts': '' };
      expect(check({ ...rest, [file]: source })).to.have.lengthOf(1);
      expect(check({ ...rest, [file]: other })).to.deep.equal([]);
    }
  });

  it('accept an equal rank in the same folder, but not in another one, and not among the files of lib/ itself', () => {
    expect(importsUpwards({ 'codec/a.ts': `import './b';`, 'codec/b.ts': '' })).to.deep.equal([]);
    const bad: Tree[] = [
      { 'versions/index.ts': `import '../options';`, 'options/index.ts': '' },
      { 'errors.ts': `import './diagnostics';`, 'diagnostics.ts': '' },
      { 'transports/http1.ts': `import './client/session';`, 'transports/client/session.ts': '' },
    ];
    for (const tree of bad) expect(importsUpwards(tree), Object.keys(tree).join()).to.have.lengthOf(1);
  });

  it('find an import of a file that is not in lib/', () => {
    expect(importsUpwards({ 'pair.ts': `import './support/http';` })[0]).to.match(/no file of lib/);
  });

  it('find a file without a rank, and name the place of the ranks', () => {
    expect(filesWithoutRank({ 'proxy.ts': '', 'codec/new.ts': '' })).to.have.lengthOf(1);
    expect(filesWithoutRank({ 'proxy.ts': '' })[0])
      .to.include('lib/proxy.ts')
      .and.to.include('spec/ranks.spec.ts');
  });

  it('find an import cycle, also one of types', () => {
    const found = circles({
      'codec/a.ts': `import { b } from './b';`,
      'codec/b.ts': `import type { C } from './c';`,
      'codec/c.ts': `import { a } from './a';`,
      'codec/d.ts': `import { a } from './a';`,
    });
    expect(found).to.have.lengthOf(1);
    expect(found[0]).to.include('lib/codec/a.ts \u2192 lib/codec/b.ts \u2192 lib/codec/c.ts \u2192 lib/codec/a.ts');
  });

  it('find an import of a certain version', () => {
    const versions = { 'versions/index.ts': `import './rfc6455';`, 'versions/rfc6455.ts': '' };
    const found = (source: string) => versionsByName({ ...versions, 'pair.ts': source });
    expect(found(`import { protocolVersion } from './versions';`)).to.deep.equal([]);
    expect(found(`import { protocolVersion } from './versions/index';`)).to.deep.equal([]);
    expect(found(`import { rfc6455 } from './versions/rfc6455';`)[0]).to.include(
      'lib/pair.ts may not import lib/versions/rfc6455.ts',
    );
  });

  it('find a use of HTTP where only its types are allowed', () => {
    expect(usesOfHttp({ 'options/types.ts': `import type { IncomingMessage } from 'node:http';` })).to.deep.equal([]);
    expect(usesOfHttp({ 'options/types.ts': `import { type IncomingMessage } from 'node:http';` })).to.deep.equal([]);
    expect(usesOfHttp({ 'transports/http1.ts': `import { ServerResponse } from 'node:http';` })).to.deep.equal([]);
    for (const name of ['node:http', 'node:https', 'node:http2', 'http']) {
      expect(usesOfHttp({ 'pair.ts': `import { request } from '${name}';` })[0]).to.include(`lib/pair.ts`);
    }
  });

  it('find an import of the contracts that is not only of types', () => {
    const contracts = { 'contracts/index.ts': '' };
    expect(contractsAsValues({ ...contracts, 'errors.ts': `import type { Role } from './contracts';` })).to.deep.equal(
      [],
    );
    expect(contractsAsValues({ ...contracts, 'errors.ts': `import { Role } from './contracts';` })).to.have.lengthOf(1);
    expect(contractsAsValues({ 'contracts/transports.ts': `import { Duplex } from 'node:stream';` })).to.have.lengthOf(
      1,
    );
  });

  it('find a file that is too long', () => {
    expect(longFiles({ 'pair.ts': 'x;\n'.repeat(longestFile) })).to.deep.equal([]);
    expect(longFiles({ 'pair.ts': 'x;\n'.repeat(longestFile + 1) })[0])
      .to.include('lib/pair.ts')
      .and.to.include(`${longestFile + 1}`);
  });

  it('find a folder with too many files, without those of the folders in it', () => {
    const folder = (name: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}/${i}.ts`, '']));
    expect(largeFolders({ ...folder('codec', largestFolder), ...folder('codec/deep', 1) })).to.deep.equal([]);
    expect(largeFolders(folder('codec', largestFolder + 1))[0]).to.include('lib/codec has 16 files');
  });

  it('find a class with two ancestors of ours, in whichever files they are', () => {
    const two = { 'a.ts': 'class A extends Duplex {}', 'b.ts': 'export abstract class B<T> extends A<T> {}' };
    expect(deepClasses(two)).to.deep.equal([]);
    const three = { ...two, 'c.ts': 'export const c = class C extends B<string> {};' };
    expect(deepClasses(three)).to.deep.equal(['lib/c.ts: class C has 2 ancestors of ours (B, A): make it of parts']);
  });

  it('find a protected member, of a class or of a constructor', () => {
    const found = protectedMembers({ 'a.ts': 'class A {\n  protected b() {}\n  constructor(protected c: 1) {}\n}' });
    expect(found.map((text) => text.slice(0, 10))).to.deep.equal(['lib/a.ts:2', 'lib/a.ts:3']);
  });

  it('find an inspection of the stack', () => {
    for (const source of [
      'Error.prepareStackTrace = f;',
      "Error['prepareStackTrace'] = f;",
      'Error.stackTraceLimit = 2;',
    ])
      expect(stackInspections({ 'a.ts': `\n${source}` })[0], source).to.match(/^lib\/a.ts:2 /);
    expect(stackInspections({ 'a.ts': '// prepareStackTrace is not for us' })).to.deep.equal([]);
    expect(stackInspections({ 'errors.ts': 'Error.stackTraceLimit = 0;' })).to.deep.equal([]);
    expect(stackInspections({ 'errors.ts': 'Error.prepareStackTrace = f;' })).to.have.lengthOf(1);
  });

  it('find a symbol that is put on an object of other code', () => {
    const found = (source: string) => foreignSymbols({ 'a.ts': source });
    const made = `const mark = Symbol('mark');\n`;
    for (const source of [
      `${made}stream[mark] = 1;`,
      `${made}Object.defineProperty(stream, mark, {});`,
      `${made}Reflect.set(stream, mark, 1);`,
      `stream[Symbol.for('mark')] = 1;`,
      `interface Marked extends Duplex { [mark]?: 1 }\n${made}`,
    ])
      expect(found(source), source).to.have.lengthOf(1);
    // As a value a symbol is harmless, and so are those of the language, and members of classes of ours.
    for (const source of [`${made}map.set(mark, 1);`, `x[Symbol.asyncIterator]();`, `${made}class A { [mark] = 1; }`])
      expect(found(source), source).to.deep.equal([]);
  });
});

function filesWithoutRank(tree: Tree): string[] {
  return Object.keys(tree)
    .filter((file) => rankOf(file) === undefined)
    .map(
      (file) =>
        `lib/${file} has no rank: add it to the table at the top of spec/ranks.spec.ts and in docs/architecture.md`,
    );
}

function importsUpwards(tree: Tree): string[] {
  return importsOf(tree)
    .filter((each) => each.inLib && !isTypeOfContracts(each) && !isAllowed(each, tree))
    .map(({ from, to }) => {
      if (!(to in tree)) return `lib/${from} may not import ${to}, which is no file of lib/`;
      const why = 'a file imports from lower ranks, or from its own rank in its own folder';
      return `lib/${from} (rank ${rankOf(from)}) may not import lib/${to} (rank ${rankOf(to)}): ${why}`;
    });
}

function isAllowed({ from, to }: Import, tree: Tree): boolean {
  const own = rankOf(from);
  const other = rankOf(to);
  // A file without a rank is another rule's matter.
  if (own === undefined || (to in tree && other === undefined)) return true;
  if (!(to in tree) || other === undefined) return false;
  const folder = posix.dirname(from);
  return other < own || (other === own && folder === posix.dirname(to) && folder !== '.');
}

function isTypeOfContracts({ to, typeOnly }: Import): boolean {
  return isContract(to) && typeOnly;
}

function isContract(file: string): boolean {
  return file.startsWith('contracts/');
}

function contractsAsValues(tree: Tree): string[] {
  return importsOf(tree)
    .filter(({ from, to, typeOnly }) => (isContract(from) || isContract(to)) && !typeOnly)
    .map(({ from, to }) => `lib/${from} imports ${to} without the word type: contracts/ has only types in it`);
}

function versionsByName(tree: Tree): string[] {
  return importsOf(tree)
    .filter(({ from, to }) => to.startsWith('versions/') && to !== 'versions/index.ts' && !from.startsWith('versions/'))
    .map(
      ({ from, to }) => `lib/${from} may not import lib/${to}: only versions/index.ts knows which versions there are`,
    );
}

function usesOfHttp(tree: Tree): string[] {
  return importsOf(tree)
    .filter(({ from, to, typeOnly }) => httpModules.test(to) && !typeOnly && !mayUseHttp.test(from))
    .map(
      ({ from, to }) =>
        `lib/${from} may import only types from ${to}: HTTP is for transports, the server and the client`,
    );
}

/** The only folders that may import packages, each with a subpath export of its own. */
const optionalPeers = /^(?:integrations|topics\/nats)\//;

/** The core must be usable, in JavaScript and in TypeScript, where no framework and no client of a broker is installed. */
function foreignPackages(tree: Tree): string[] {
  return importsOf(tree)
    .filter(({ from, to, inLib }) => !inLib && !optionalPeers.test(from) && !/^node:|^minizlib$/.test(to))
    .map(
      ({ from, to }) =>
        `lib/${from} may not import ${to}: other packages are for lib/integrations/ and lib/topics/nats/`,
    );
}

function integrationsOfInternals(tree: Tree): string[] {
  return importsOf(tree)
    .filter(({ from, to, inLib }) => inLib && from.startsWith('integrations/') && !to.startsWith('integrations/'))
    .filter(({ to }) => to !== 'webSocketHandler.ts' && to !== 'options/index.ts')
    .map(({ from, to }) => `lib/${from} may not import lib/${to}, only webSocketHandler.ts and options/`);
}

/** Docstrings are wanted, and do not make a file long. */
function isCode(line: string): boolean {
  return !/^\s*(?:\/\/.*|\/?\*.*)?$/.test(line);
}

function longFiles(tree: Tree): string[] {
  return Object.entries(tree)
    .map(([file, source]) => ({ file, lines: source.split('\n').filter(isCode).length }))
    .filter(({ lines }) => lines > longestFile)
    .map(({ file, lines }) => `lib/${file} has ${lines} lines of code: divide it, ${longestFile} are the most`);
}

function largeFolders(tree: Tree): string[] {
  const counts = new Map<string, number>();
  for (const file of Object.keys(tree)) {
    const folder = posix.dirname(file);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > largestFolder)
    .map(
      ([folder, count]) =>
        `lib/${folder} has ${count} files: divide it by what they are for, ${largestFolder} are the most`,
    );
}

/** Classes are told apart by their names alone, for two of the same name would confuse readers as well. */
function deepClasses(tree: Tree): string[] {
  const parents = new Map<string, string>();
  const classes: { file: string; name: string }[] = [];
  eachNode(tree, (node, file) => {
    if (!ts.isClassLike(node) || node.name === undefined) return;
    const parent = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0];
    if (parent !== undefined && ts.isIdentifier(parent.expression)) parents.set(node.name.text, parent.expression.text);
    classes.push({ file, name: node.name.text });
  });
  const ours = new Set(classes.map(({ name }) => name));
  return classes.flatMap(({ file, name }) => {
    const ancestors: string[] = [];
    for (let next = parents.get(name); next !== undefined && ours.has(next); next = parents.get(next))
      ancestors.push(next);
    if (ancestors.length < 2) return [];
    const names = ancestors.join(', ');
    return `lib/${file}: class ${name} has ${ancestors.length} ancestors of ours (${names}): make it of parts`;
  });
}

function protectedMembers(tree: Tree): string[] {
  const found: string[] = [];
  eachNode(tree, (node, file, line) => {
    if (node.kind === ts.SyntaxKind.ProtectedKeyword)
      found.push(`lib/${file}:${line} has a protected member: give the part an interface of what it needs`);
  });
  return found;
}

const stackProperties = /^(?:prepareStackTrace|stackTraceLimit)$/;
/** It makes errors without a stack, and reads none. */
const makesErrors = 'errors.ts';

function stackInspections(tree: Tree): string[] {
  const found: string[] = [];
  eachNode(tree, (node, file, line) => {
    if (!ts.isIdentifier(node) && !ts.isStringLiteralLike(node)) return;
    const isAllowed = file === makesErrors && node.text === 'stackTraceLimit';
    if (stackProperties.test(node.text) && !isAllowed)
      found.push(`lib/${file}:${line} uses ${node.text}: what a program gets may not depend on who calls`);
  });
  return found;
}

const defining = /^(?:Object\.defineProperty|Reflect\.(?:set|defineProperty))$/;

/** Symbols by which other packages let a program say something to them. */
const symbolsOfOthers = ["Symbol.for('skip-override')"];

/** Whether this makes a symbol: `Symbol(…)` or `Symbol.for(…)`. */
function makesSymbol(node: ts.Expression | undefined): boolean {
  if (node === undefined || !ts.isCallExpression(node) || symbolsOfOthers.includes(node.getText())) return false;
  return /^Symbol(?:\.for)?$/.test(node.expression.getText());
}

/**
 * A property named by a symbol that lib/ has made itself, outside of the classes of lib/: in an assignment or access, in a definition, or
 * in an interface that lends it to an object of others.
 */
function foreignSymbols(tree: Tree): string[] {
  const symbols = new Set<string>();
  eachNode(tree, (node) => {
    if (ts.isVariableDeclaration(node) && makesSymbol(node.initializer)) symbols.add(node.name.getText());
  });
  const isOurs = (key: ts.Expression | undefined) =>
    key !== undefined && (makesSymbol(key) || (ts.isIdentifier(key) && symbols.has(key.text)));
  const usesSymbol = (node: ts.Node) => {
    if (ts.isElementAccessExpression(node))
      return node.expression.kind !== ts.SyntaxKind.ThisKeyword && isOurs(node.argumentExpression);
    if (ts.isCallExpression(node)) return defining.test(node.expression.getText()) && isOurs(node.arguments[1]);
    if (!ts.isComputedPropertyName(node)) return false;
    return !ts.isClassLike(node.parent.parent) && isOurs(node.expression);
  };
  const found: string[] = [];
  eachNode(tree, (node, file, line) => {
    if (usesSymbol(node))
      found.push(`lib/${file}:${line} has a property named by a symbol of ours: keep what belongs to it in a WeakMap`);
  });
  return found;
}

/** Calls back with every node of every file, from the outside to the inside, and its line. */
function eachNode(tree: Tree, visit: (node: ts.Node, file: string, line: number) => void): void {
  for (const [file, source] of Object.entries(tree)) {
    const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
    const walk = (node: ts.Node) => {
      visit(node, file, parsed.getLineAndCharacterOfPosition(node.getStart(parsed)).line + 1);
      ts.forEachChild(node, walk);
    };
    walk(parsed);
  }
}

/** Every circle of imports, told once, from where it is first met. */
function circles(tree: Tree): string[] {
  const imports = importsOf(tree).filter(({ inLib }) => inLib);
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start !== -1) {
      const circle = [...path.slice(start), file].map((each) => `lib/${each}`);
      found.push(`These import each other in a circle: ${circle.join(' \u2192 ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const { from, to } of imports) if (from === file) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of Object.keys(tree)) visit(file, []);
  return found;
}

function rankOf(file: string): number | undefined {
  const found = ranks.find(([pattern]) => pattern === file || pattern === `${posix.dirname(file)}/*`);
  return found?.[1];
}

function importsOf(tree: Tree): Import[] {
  return Object.entries(tree).flatMap(([from, source]) => {
    const imports: Import[] = [];
    const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
      if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
      const inLib = specifier.text.startsWith('.');
      const to = inLib ? resolve(from, specifier.text, tree) : specifier.text;
      imports.push({ from, to, inLib, typeOnly });
    };
    const visit = (node: ts.Node) => {
      if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, importsOnlyTypes(node));
      else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, exportsOnlyTypes(node));
      else if (ts.isExternalModuleReference(node)) add(node.expression, false);
      else if (ts.isImportTypeNode(node)) add((node.argument as ts.LiteralTypeNode).literal, true);
      else if (ts.isCallExpression(node) && isLoading(node.expression)) add(node.arguments[0], false);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(from, source, ts.ScriptTarget.Latest));
    return imports;
  });
}

function importsOnlyTypes({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = importClause;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.every((element) => element.isTypeOnly);
}

function exportsOnlyTypes({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  if (isTypeOnly) return true;
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return false;
  return exportClause.elements.every((element) => element.isTypeOnly);
}

/** `import(…)` or `require(…)`. */
function isLoading(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

function resolve(from: string, specifier: string, tree: Tree): string {
  const path = posix.join(posix.dirname(from), specifier);
  return [`${path}.ts`, `${path}/index.ts`].find((candidate) => candidate in tree) ?? path;
}

function readLib(folder: string): Tree {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return Object.fromEntries(files.map((file) => [file.split(sep).join('/'), readFileSync(join(folder, file), 'utf8')]));
}

function expectNone(violations: readonly string[]): void {
  if (violations.length > 0) expect.fail(`\n${violations.join('\n')}`);
}
