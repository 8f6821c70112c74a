import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect } from 'chai';
import packageJson from '../package.json';

const root = join(__dirname, '..');
const repository = 'https://github.com/node-websocket-handler/node-websocket-handler';
/** What the address of a file of the repository begins with, of a folder, and of an image as it is shown. */
const addresses = [
  `${repository}/blob/main/`,
  `${repository}/tree/main/`,
  'https://raw.githubusercontent.com/node-websocket-handler/node-websocket-handler/main/',
];

const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** The files that npm packs, without those that are built. */
function packedFiles(): string[] {
  const parameters = ['pack', '--dry-run', '--json', '--ignore-scripts', '--silent'];
  const [{ files }] = JSON.parse(execFileSync('npm', parameters, { cwd: root, encoding: 'utf8' }));
  return (files as { path: string }[]).map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
}

/** The targets of the links and images of a page, without code. */
function linksOf(markdown: string): string[] {
  const text = markdown.replace(/^ *```.*?^ *```/gms, '').replaceAll(/(?<!\[)`[^`\n]*`(?!\])/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
}

/** The links of a page that a reader of the package cannot follow, each with what is wrong. */
function brokenLinks(page: string, markdown: string, packed: readonly string[]): string[] {
  return linksOf(markdown).flatMap((link) => {
    const [path = ''] = link.split('#');
    const address = addresses.find((each) => link.startsWith(each));
    if (address !== undefined) {
      const file = path.slice(address.length);
      return existsSync(join(root, file)) ? [] : `${link}: there is no file ${file}`;
    }
    if (path === '' || /^[a-z]+:/i.test(link)) return [];
    const file = posix.join(posix.dirname(page), path);
    if (packed.includes(file)) return [];
    if (!existsSync(join(root, file))) return `${link}: there is no file ${file}`;
    const [blob, tree, raw] = addresses;
    const wanted = statSync(join(root, file)).isDirectory() ? tree : /\.(?:png|svg)$/.test(file) ? raw : blob;
    return `${link}: not in the package; use ${wanted}${link.replace(path, file)}`;
  });
}

describe('package.json', () => {
  it('says where the repository, the page and the issues are', () => {
    expect(packageJson.repository).to.deep.equal({ type: 'git', url: `git+${repository}.git` });
    expect(packageJson.homepage).to.equal(`${repository}#readme`);
    expect(packageJson.bugs).to.equal(`${repository}/issues`);
  });

  it('lets npm publish with a statement of where the package was built', () => {
    expect(packageJson.publishConfig).to.deep.equal({ access: 'public', provenance: true });
  });

  it('says that its modules have no side effects, so that a bundler can leave out what is not used', () => {
    expect(packageJson.sideEffects).to.equal(false);
  });

  it('asks for the oldest Node on which the specs run', () => {
    const [oldest = ''] = testedNodes();
    expect(`>=${oldest}`).to.equal(`${packageJson.engines.node}.0`);
  });
});

describe('The pages in the package', () => {
  const packed = packedFiles();
  const pages = packed.filter((file) => /\.(?:md|txt)$/.test(file));

  it('are the README, the documentation, the changes, and how to report a vulnerability', () => {
    expect(packed).to.include.members(['README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE', 'docs/api.md']);
    expect(packed.filter((file) => file.endsWith('.api.md'))).to.deep.equal([]);
  });

  for (const page of pages)
    it(`${page}: links to files that are in the package, or by their address in the repository`, () => {
      expect(brokenLinks(page, read(page), packed)).to.deep.equal([]);
    });

  it('are checked: a link to a file that is not in the package, or nowhere, is found', () => {
    const markdown = `[a](api.md) [b](../demo/client.ts) [c](../demo) [d](nowhere.md) [e](${addresses[0]}nowhere) [f](#here) [j](../bench/results.md#marks)
      [g](https://example.org) ![h](../README.md) [\`i\`](../lib) ![k](../demo/public/logo.svg)`;
    expect(brokenLinks('docs/errors.md', markdown, ['docs/api.md', 'README.md'])).to.deep.equal([
      `../demo/client.ts: not in the package; use ${addresses[0]}demo/client.ts`,
      `../demo: not in the package; use ${addresses[1]}demo`,
      'nowhere.md: there is no file docs/nowhere.md',
      `${addresses[0]}nowhere: there is no file nowhere`,
      `../bench/results.md#marks: not in the package; use ${addresses[0]}bench/results.md#marks`,
      `../lib: not in the package; use ${addresses[1]}lib`,
      `../demo/public/logo.svg: not in the package; use ${addresses[2]}demo/public/logo.svg`,
    ]);
  });
});

/** The versions of Node on which .ci/run runs the specs. */
function testedNodes(): string[] {
  return (/^versions=\((.*)\)$/m.exec(read('.ci/run'))?.[1] ?? '').split(' ');
}

describe('docs/compatibility.md', () => {
  it('names the lines of Node on which the specs run', () => {
    const [, table = ''] = read('docs/compatibility.md').split('## Node');
    const lines = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, line]) => line);
    const tested = [...new Set(testedNodes().map((version) => version.split('.')[0]))];
    expect(lines).to.deep.equal(tested.reverse());
  });
});
