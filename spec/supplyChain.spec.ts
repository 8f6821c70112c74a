import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import packageJson from '../package.json';
import { judge } from '../scripts/auditSignatures';
import { readPage } from './support/codeBlocks';

interface Locked {
  readonly dev?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Lock = Readonly<Record<string, Locked>>;

const lock: Lock = JSON.parse(readFileSync(join(__dirname, '..', 'package-lock.json'), 'utf8')).packages;

/** The packages in the first column of the table below a heading of a page. */
function listed(page: string, heading: string): string[] {
  const [, below = ''] = readPage(page).split(`## ${heading}\n`);
  const [section = ''] = below.split(/^#/m);
  const rows = [...section.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \| \S/gm)];
  return rows.flatMap(([, names = '']) => [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

const nameOf = (path: string) => path.replace(/^.*node_modules\//, '');

/** What npm installs with these dependencies: they and all of theirs. */
function installedWith(packages: Lock, dependencies: Readonly<Record<string, string>>): Set<string> {
  const found = new Set<string>();
  const add = (names: readonly string[]): void => {
    for (const name of names) {
      if (found.has(name)) continue;
      found.add(name);
      for (const [path, { dependencies = {}, optionalDependencies = {} }] of Object.entries(packages))
        if (path !== '' && nameOf(path) === name)
          add([...Object.keys(dependencies), ...Object.keys(optionalDependencies)]);
    }
  };
  add(Object.keys(dependencies));
  return found;
}

/** The packages that run a script when they are installed. */
const withScripts = (packages: Lock) =>
  Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => nameOf(path));

describe('The dependencies of the package', () => {
  const installed = installedWith(lock, packageJson.dependencies);

  it('are those that docs/security.md lists with the reason for each, and no more', () => {
    expect(listed('docs/security.md', 'Supply chain')).to.have.members([...installed]);
  });

  it('run no scripts when they are installed, nor does the package itself', () => {
    expect(withScripts(lock).filter((name) => installed.has(name))).to.deep.equal([]);
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare'])
      expect(packageJson.scripts).to.not.have.property(script);
  });

  it('are found with those of their dependencies, at any depth', () => {
    const packages: Lock = {
      '': {},
      'node_modules/a': { dependencies: { b: '1' } },
      'node_modules/a/node_modules/b': { optionalDependencies: { '@c/d': '1' } },
      'node_modules/@c/d': { dependencies: { a: '1' }, hasInstallScript: true },
      'node_modules/e': { hasInstallScript: true },
    };
    expect([...installedWith(packages, { a: '1' })]).to.deep.equal(['a', 'b', '@c/d']);
    expect(withScripts(packages)).to.deep.equal(['@c/d', 'e']);
  });

  it('are optional if they are peers', () => {
    expect(Object.keys(packageJson.peerDependenciesMeta)).to.have.members(Object.keys(packageJson.peerDependencies));
    expect(Object.values(packageJson.peerDependenciesMeta).filter(({ optional }) => !optional)).to.deep.equal([]);
  });
});

describe('The tools of this repository', () => {
  it('are those that CONTRIBUTING.md lists with the reason for each', () => {
    const tools = listed('CONTRIBUTING.md', 'Dependencies');
    expect(tools).to.have.members(Object.keys(packageJson.devDependencies));
    expect(tools).to.have.lengthOf(new Set(tools).size);
  });

  it('run no scripts when they are installed, except those that CONTRIBUTING.md lists with the reason for each', () => {
    const listedHere = listed('CONTRIBUTING.md', 'Install scripts');
    expect(listedHere).to.have.members([...new Set(withScripts(lock))]);
    for (const [path, { hasInstallScript, dev }] of Object.entries(lock))
      if (hasInstallScript) expect(dev, path).to.equal(true);
  });

  it('are locked with a hash of their content', () => {
    const without = Object.entries(lock).filter(
      ([path, { integrity }]) => path !== '' && !integrity?.startsWith('sha512-'),
    );
    expect(without.map(([path]) => path)).to.deep.equal([]);
  });
});

describe('npm run audit:signatures', () => {
  it('ends with 0 if all packages have a signature', () => {
    expect(judge('{"invalid":[],"missing":[]}').exitCode).to.equal(0);
  });

  it('ends with 1 and names the packages whose signature is wrong or missing', () => {
    const output = { invalid: [{ name: 'a', version: '1.0.0' }], missing: [{ name: '@b/c', version: '2.0.0' }] };
    expect(judge(JSON.stringify(output))).to.deep.equal({
      exitCode: 1,
      message: 'invalid signature: a@1.0.0\nmissing signature: @b/c@2.0.0',
    });
  });

  it('ends with 2 and says so if the registry does not offer the check', () => {
    const summary = 'found no dependencies to audit that were installed from a supported registry';
    for (const output of [JSON.stringify({ error: { summary } }), summary]) {
      const { exitCode, message } = judge(output);
      expect(exitCode).to.equal(2);
      expect(message).to.include('were not checked').and.to.include(summary);
    }
    expect(judge('').message).to.include('npm has printed nothing');
  });
});
