import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';

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
  ['versions/*', 3],
  ['options/*', 3],
  ['extensions/*', 4],
  ['framing/*', 5],
  ['connection/*', 6],
  ['websocket/*', 7],
  ['broadcast/*', 8],
  ['transports/*', 9],
  ['server/negotiation.ts', 8],
  ['server/*', 10],
  ['client/*', 10],
  ['pair.ts', 10],
  ['webSocketHandler.ts', 11],
];

/** Only these talk to Node's HTTP; whatever others know of it are types. */
const mayUseHttp = /^(?:transports|server|client)\//;
const httpModules = /^(?:node:)?https?2?$/;

const longestFile = 300;

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

  it('each have a rank', () => expectNone(filesWithoutRank(tree)));
  it('import only what stands below them, or beside them in their folder', () => expectNone(importsUpwards(tree)));
  it('do not import each other in circles', () => expectNone(circles(tree)));
  it('import the contracts as types, which is all that they are', () => expectNone(contractsAsValues(tree)));
  it('leave it to versions/index.ts to know the versions by name', () => expectNone(versionsByName(tree)));
  it('leave HTTP to the transports, the server and the client', () => expectNone(usesOfHttp(tree)));
  it(`are short: no more than ${longestFile} lines`, () => expectNone(longFiles(tree)));
});

describe('These rules', () => {
  it('find an import that points up, of a value or of a type', () => {
    const [value, type, ...more] = importsUpwards({
      'codec/utf8.ts': `import { protocolVersion } from '../versions';`,
      'session.ts': `import type { WebSocket } from './streams/webSocket';`,
      'versions/index.ts': '',
      'streams/webSocket.ts': '',
    });
    expect(value).to.match(/^lib\/codec\/utf8.ts \(rank 2\) may not import lib\/versions\/index.ts \(rank 3\)/);
    expect(type).to.match(/^lib\/session.ts \(rank 3\) may not import lib\/streams\/webSocket.ts \(rank 6\)/);
    expect(more).to.deep.equal([]);
  });

  it('find it in every way of importing', () => {
    for (const source of [
      `import '../server';`,
      `import * as all from '../server';`,
      `import { type ServerOptions, configureServer } from '../server';`,
      `export * from '../server';`,
      `export type { WebSocketServer } from '../server';`,
      `const later = () => import('../server');`,
      `const server = require('../server');`,
      `import server = require('../server');`,
      `let server: import('../server').WebSocketServer;`,
      `let server: typeof import('../server');`,
    ]) {
      expect(importsUpwards({ 'codec/utf8.ts': source, 'server.ts': '' }), source).to.have.lengthOf(1);
    }
  });

  it('take an equal rank for good in the same folder, but not in another, and not among the files at the top', () => {
    expect(importsUpwards({ 'codec/a.ts': `import './b';`, 'codec/b.ts': '' })).to.deep.equal([]);
    const bad: Tree[] = [
      { 'transports/http1.ts': `import '../streams/webSocket';`, 'streams/webSocket.ts': '' },
      { 'server.ts': `import './client';`, 'client.ts': '' },
      // In one folder, too, only the same rank will do.
      { 'streams/framer.ts': `import './pipeline';`, 'streams/pipeline.ts': '' },
    ];
    for (const tree of bad) expect(importsUpwards(tree), Object.keys(tree).join()).to.have.lengthOf(1);
  });

  it('find an import of what is not in lib/ at all', () => {
    expect(importsUpwards({ 'server.ts': `import './support/http';` })[0]).to.match(/no file of lib/);
  });

  it('find a file without a rank, and say where to give it one', () => {
    expect(filesWithoutRank({ 'proxy.ts': '', 'codec/new.ts': '' })).to.have.lengthOf(1);
    expect(filesWithoutRank({ 'proxy.ts': '' })[0])
      .to.include('lib/proxy.ts')
      .and.to.include('spec/ranks.spec.ts');
  });

  it('find a circle, also one of types', () => {
    const found = circles({
      'codec/a.ts': `import { b } from './b';`,
      'codec/b.ts': `import type { C } from './c';`,
      'codec/c.ts': `import { a } from './a';`,
      'codec/d.ts': `import { a } from './a';`,
    });
    expect(found).to.have.lengthOf(1);
    expect(found[0]).to.include('lib/codec/a.ts \u2192 lib/codec/b.ts \u2192 lib/codec/c.ts \u2192 lib/codec/a.ts');
  });

  it('find a version that is known by its name', () => {
    const versions = { 'versions/index.ts': `import './rfc6455';`, 'versions/rfc6455.ts': '' };
    expect(versionsByName({ ...versions, 'server.ts': `import { protocolVersion } from './versions';` })).to.deep.equal(
      [],
    );
    expect(
      versionsByName({ ...versions, 'server.ts': `import { protocolVersion } from './versions/index';` }),
    ).to.deep.equal([]);
    const [found] = versionsByName({ ...versions, 'server.ts': `import { rfc6455 } from './versions/rfc6455';` });
    expect(found).to.include('lib/server.ts may not import lib/versions/rfc6455.ts');
  });

  it('find a use of HTTP where only its types should be known', () => {
    expect(usesOfHttp({ 'options.ts': `import type { IncomingMessage } from 'node:http';` })).to.deep.equal([]);
    expect(usesOfHttp({ 'options.ts': `import { type IncomingMessage } from 'node:http';` })).to.deep.equal([]);
    expect(usesOfHttp({ 'transports/http1.ts': `import { ServerResponse } from 'node:http';` })).to.deep.equal([]);
    for (const name of ['node:http', 'node:https', 'node:http2', 'http']) {
      expect(usesOfHttp({ 'session.ts': `import { request } from '${name}';` })[0]).to.include(`lib/session.ts`);
    }
  });

  it('find an import of the contracts that would be left at run time', () => {
    const contracts = { 'contracts/index.ts': '' };
    expect(contractsAsValues({ ...contracts, 'errors.ts': `import type { Role } from './contracts';` })).to.deep.equal(
      [],
    );
    expect(contractsAsValues({ ...contracts, 'errors.ts': `import { Role } from './contracts';` })).to.have.lengthOf(1);
    expect(contractsAsValues({ 'contracts/transports.ts': `import { Duplex } from 'node:stream';` })).to.have.lengthOf(
      1,
    );
  });

  it('find a file that has grown too long', () => {
    expect(longFiles({ 'server.ts': '\n'.repeat(longestFile) })).to.deep.equal([]);
    expect(longFiles({ 'server.ts': '\n'.repeat(longestFile + 1) })[0])
      .to.include('lib/server.ts')
      .and.to.include('301');
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

function longFiles(tree: Tree): string[] {
  return Object.entries(tree)
    .map(([file, source]) => ({ file, lines: source.split('\n').length - 1 }))
    .filter(({ lines }) => lines > longestFile)
    .map(({ file, lines }) => `lib/${file} has ${lines} lines: divide it, ${longestFile} are the most`);
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
