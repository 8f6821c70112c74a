import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readPage } from '../support/codeBlocks';

const root = join(__dirname, '..', '..');
const mocha = require.resolve('mocha/bin/mocha.js');

/** What a row of the tables says to prove an outcome. */
interface Proof {
  readonly file: string;
  /** The whole title, as Mocha prints it: that of the suites, and that of the spec. */
  readonly title: string;
}

/** The rows of the tables of attacks of a page, each with its proofs. */
function attacksOf(markdown: string): { readonly attack: string; readonly proofs: readonly Proof[] }[] {
  const tables = markdown.split('| attack | outcome | proof |\n|---|---|---|\n').slice(1);
  return tables.flatMap((table) => {
    const [rows = ''] = table.split('\n\n');
    return rows.split('\n').map((row) => {
      const [attack = '', , proof = ''] = row.slice('| '.length, -' |'.length).split(' | ');
      return { attack, proofs: proofsIn(proof) };
    });
  });
}

function proofsIn(cell: string): Proof[] {
  const links = cell.matchAll(/\[([^\]]+)\]\(https:\/\/[^)]*\/blob\/main\/([^)]+)\): `([^`]+)`/g);
  return [...links].map(([, shown = '', file = '', title = '']) => ({
    file: shown === file ? file : `${shown} or ${file}`,
    title,
  }));
}

/** The whole titles of the specs in these files, which are loaded and not run. */
function titlesOf(files: readonly string[]): Map<string, Set<string>> {
  const folder = mkdtempSync(join(tmpdir(), 'titles-'));
  try {
    const output = join(folder, 'titles.json');
    const reporter = ['--dry-run', '--reporter', 'json', '--reporter-option', `output=${output}`];
    const { status, stderr } = spawnSync(process.execPath, [mocha, ...reporter, ...files], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0) throw new Error(`Mocha cannot load ${files.join(', ')}: ${stderr}`);
    const { tests } = JSON.parse(readFileSync(output, 'utf8')) as { tests: { file: string; fullTitle: string }[] };
    return new Map(
      files.map((file) => [
        file,
        new Set(tests.filter((test) => test.file === join(root, file)).map(({ fullTitle }) => fullTitle)),
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The proofs that do not exist: no such file, or no spec with this title in it. */
function missing(proofs: readonly Proof[]): string[] {
  const files = [...new Set(proofs.map(({ file }) => file))].filter((file) => existsSync(join(root, file)));
  const titles = titlesOf(files);
  return proofs
    .filter(({ file, title }) => !titles.get(file)?.has(title))
    .map(({ file, title }) => `${file}: ${title}`);
}

describe('The attacks in docs/security.md', () => {
  const page = readPage('docs/security.md');
  const attacks = attacksOf(page);

  it('are those of handshakes, frames, compression, HTTP/2 and clients', () => {
    expect(page.match(/^\| attack \|/gm)).to.have.lengthOf(5);
    expect(attacks).to.have.length.above(50);
    expect(new Set(attacks.map(({ attack }) => attack)))
      .to.have.property('size')
      .above(50);
  });

  it('have a proof each', () => {
    expect(attacks.filter(({ proofs }) => proofs.length === 0)).to.deep.equal([]);
    // No cell has a link that is not read.
    expect(attacks.flatMap(({ proofs }) => proofs)).to.have.lengthOf(
      (page.match(/\/blob\/main\/spec\//g) ?? []).length,
    );
  });

  it('have proofs that exist: each names a spec by its whole title', () => {
    expect(missing(attacks.flatMap(({ proofs }) => proofs))).to.deep.equal([]);
  });

  it('are checked: a file or a title that does not exist is found', () => {
    const file = 'spec/docs/security.spec.ts';
    const title = 'The attacks in docs/security.md have a proof each';
    const row = (name: string, text: string) => `[${name}](https://a.example/blob/main/${name}): \`${text}\``;
    const cells = [row(file, title), row(file, title.slice(0, -1)), row('spec/nowhere.spec.ts', title)].join('<br>');
    const table = `| attack | outcome | proof |\n|---|---|---|\n| an attack | none | ${cells} |\n\n| no | such | row |`;
    const [found, ...others] = attacksOf(table);
    expect([found?.attack, found?.proofs.length, others]).to.deep.equal(['an attack', 3, []]);
    expect(missing(found?.proofs ?? [])).to.deep.equal([
      `${file}: ${title.slice(0, -1)}`,
      `spec/nowhere.spec.ts: ${title}`,
    ]);
  });
});
