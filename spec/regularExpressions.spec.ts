import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';

// The checker in JavaScript: the others are programs for some systems, and one in Java. It reads this variable when it is loaded.
process.env['RECHECK_BACKEND'] = 'pure';
const { checkSync } = require('recheck') as typeof import('recheck');

const library = join(__dirname, '..', 'lib');

/** Methods of a string that make a regular expression of a string. */
const makers = new Set(['match', 'matchAll', 'search']);

interface Found {
  readonly where: string;
  readonly text: string;
}

interface Expressions {
  readonly literals: readonly Found[];
  /** Code that makes an expression at run time, which cannot be checked here. */
  readonly made: readonly Found[];
}

function expressionsOf(file: string, source: string): Expressions {
  const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const [literals, made]: [Found[], Found[]] = [[], []];
  const visit = (node: ts.Node): void => {
    const { line } = parsed.getLineAndCharacterOfPosition(node.getStart());
    const found = { where: `${file}:${line + 1}`, text: node.getText() };
    if (ts.isRegularExpressionLiteral(node)) literals.push(found);
    else if (makesExpression(node)) made.push(found);
    ts.forEachChild(node, visit);
  };
  visit(parsed);
  return { literals, made };
}

function makesExpression(node: ts.Node): boolean {
  if (ts.isNewExpression(node)) return node.expression.getText() === 'RegExp';
  if (!ts.isCallExpression(node)) return false;
  const {
    expression,
    arguments: [argument],
  } = node;
  if (ts.isIdentifier(expression)) return expression.text === 'RegExp';
  if (!ts.isPropertyAccessExpression(expression) || !makers.has(expression.name.text)) return false;
  return argument !== undefined && !ts.isRegularExpressionLiteral(argument);
}

/**
 * Returns why an expression may take more than linear time; undefined if it is proved that it does not. Only the checker with automata
 * proves it: the other one of recheck tries inputs.
 */
function fault(literal: string): string | undefined {
  const end = literal.lastIndexOf('/');
  const [source, flags] = [literal.slice(1, end), literal.slice(end + 1)];
  const result = checkSync(source, flags, { checker: 'automaton', timeout: 60_000 });
  if (result.status === 'safe') return undefined;
  if (result.status === 'unknown') return `cannot be proved to be linear: ${result.error.kind}`;
  return `${result.complexity.summary}, with ${result.attack.pattern}`;
}

const files = readdirSync(library, { recursive: true, encoding: 'utf8' }).filter((file) => /\.m?ts$/.test(file));

describe('The regular expressions of the library', function () {
  // The checker compiles its own code at its first use.
  this.timeout(120_000);

  const all = files.map((file) => expressionsOf(`lib/${file}`, readFileSync(join(library, file), 'utf8')));
  const literals = all.flatMap((each) => each.literals);

  for (const text of new Set(literals.map((literal) => literal.text))) {
    const where = literals
      .filter((literal) => literal.text === text)
      .map((literal) => literal.where.replace(/:\d+$/, ''));
    it(`take linear time: ${text} in ${[...new Set(where)].join(', ')}`, () => {
      expect(fault(text)).to.equal(undefined);
    });
  }

  it('are all literals: none is made at run time, where it could not be checked', () => {
    expect(literals).to.have.length.above(30);
    expect(all.flatMap(({ made }) => made)).to.deep.equal([]);
  });
});

describe('The check of regular expressions', function () {
  this.timeout(120_000);

  for (const [literal, complexity] of [
    ['/^(a+)+$/', 'exponential'],
    ['/"(?:\\\\.|[^"])*"/sy', 'exponential'],
    ['/^a*a*$/', '2nd degree polynomial'],
    ['/\\s+$/', '2nd degree polynomial'],
    ['/ *, */g', '2nd degree polynomial'],
  ] as const) {
    it(`finds one that takes more: ${literal} is ${complexity}`, () => {
      expect(fault(literal)).to.match(new RegExp(`^${complexity}, with `));
    });
  }

  it('finds those that are made at run time', () => {
    const source = "new RegExp(a); RegExp('b'); c.match('d'); e.search(f); g.match(/h/); i.matchAll(j); k.exec(l);";
    const { literals, made } = expressionsOf('a.ts', source);
    expect(literals.map(({ text }) => text)).to.deep.equal(['/h/']);
    expect(made.map(({ text }) => text)).to.deep.equal([
      'new RegExp(a)',
      "RegExp('b')",
      "c.match('d')",
      'e.search(f)',
      'i.matchAll(j)',
    ]);
  });
});
