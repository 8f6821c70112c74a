import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';

const root = join(__dirname, '..');

/** The pages for people, without the API report, which is generated. */
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md') && !name.endsWith('.api.md'))
    .map((name) => `docs/${name}`),
];

const read = (page: string) => readFileSync(join(root, page), 'utf8');

function withoutCode(markdown: string): string {
  return markdown.replace(/^ *```.*?^ *```/gms, '');
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replace(/\s/g, '-');
}

function anchorsOf(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

/** The links of a page that lead nowhere. */
function brokenLinks(page: string, markdown: string): string[] {
  const links = [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(target === page ? markdown : read(target)).includes(anchor);
  });
}

/** The paths of the files in a folder, without those of installed packages. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return entry.name;
    if (entry.name === 'node_modules') return [];
    return filesIn(join(folder, entry.name)).map((file) => `${entry.name}/${file}`);
  });
}

/** The names of TypeScript files in a page that belong to no file: each is a path, or the end of one. */
function missingFiles(markdown: string): string[] {
  const files = ['lib', 'spec', 'demo', 'scripts', 'reliability'].flatMap((folder) =>
    filesIn(join(root, folder)).map((file) => `/${folder}/${file}`),
  );
  const names = markdown.match(/(?:[\w-]+\/)*[\w.-]+\.ts\b/g) ?? [];
  return [...new Set(names)].filter((name) => !files.some((file) => file.endsWith(`/${name}`)));
}

/** The paragraphs of a page, outside of code and tables, that have more than five lines. */
function longParagraphs(markdown: string): string[] {
  const blocks = withoutCode(markdown).split(/\n\s*\n|\n(?=\s*(?:- |\d+\. |#|\|))/);
  return blocks.filter((block) => block.trim().split('\n').length > 5).map((block) => block.trim().slice(0, 60));
}

describe('The documentation', () => {
  for (const page of pages) {
    it(`${page}: every link leads to a file, and to a heading in it`, () => {
      expect(brokenLinks(page, read(page))).to.deep.equal([]);
    });

    it(`${page}: no paragraph has more than five lines`, () => {
      expect(longParagraphs(read(page))).to.deep.equal([]);
    });
  }

  it('docs/architecture.md: names only files that are there', () => {
    expect(missingFiles(read('docs/architecture.md'))).to.deep.equal([]);
  });
});

describe('The checks of the documentation', () => {
  it('find a link to a file or a heading that is not there', () => {
    const links =
      '[a](api.md) [b](nowhere.md) [c](api.md#options) [d](api.md#nowhere) [e](#here) [f](#there)\n\n# Here';
    expect(brokenLinks('docs/errors.md', links)).to.deep.equal(['nowhere.md', 'api.md#nowhere', '#there']);
  });

  it('find the name of a file that is not there', () => {
    expect(missingFiles('`websocket/core.ts`, `core.ts`, `streams/core.ts`')).to.deep.equal(['streams/core.ts']);
  });

  it('find a paragraph of six lines, but none in code', () => {
    const six = 'a\nb\nc\nd\ne\nf';
    expect(longParagraphs(`${six}\n\n- a\n- b\n- c\n- d\n- e\n- f\n\n\`\`\`\n${six}\n\`\`\``)).to.have.lengthOf(1);
  });
});
