import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const root = join(__dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const page = read('docs/frameworks.md');

/** The examples of the frameworks in a cell: the first word of each name is that of its file, but for these. */
const files: Readonly<Record<string, readonly string[]>> = {
  NestJS: ['nest'],
  'Next.js': ['next'],
  'webpack-dev-server': ['webpack'],
  // It has the same example as Express, which is made of it.
  Connect: ['express'],
};

function examplesOf(cell: string): readonly string[] {
  return cell.split(', ').flatMap((name) => {
    const [word = ''] = name.split(' ');
    return files[word] ?? [word.toLowerCase()];
  });
}

/** The rows of the table in a section, as cells. */
function rowsOf(section: string): string[][] {
  const [, text = ''] = page.split(`## ${section}\n`);
  const [, table = ''] = /^\|(?:---\|)+\n((?:\|.*\n)+)/m.exec(text) ?? [];
  return table
    .trim()
    .split('\n')
    .map((row) => row.slice(1, -1).split(/(?<!\\)\|/))
    .map((cells) => cells.map((cell) => cell.trim()));
}

/** Without white space, which the formatter changes. */
const dense = (text: string) => text.replaceAll(/\s+/g, '');

describe('docs/frameworks.md', () => {
  const tested = rowsOf('What is tested');

  for (const [framework = '', session, cookies, , mounted, refusal, failure] of tested)
    it(`has a spec for what it says of ${framework}`, () => {
      for (const example of examplesOf(framework)) {
        const spec = read(`spec/integrations/${example}.spec.ts`);
        const suite = failure === 'yes' ? 'itKeepsTheContract(' : 'itSharesTheServer(';
        expect(spec, example).to.include(suite);
        expect([cookies, refusal], framework).to.deep.equal(['yes', 'JSON']);
        if (suite === 'itKeepsTheContract(') expect(mounted, framework).to.not.equal('');
        expect(session, framework).to.not.equal('');
      }
    });

  it('says of those frameworks that they work over HTTP/2 for which the contract is tested over it', () => {
    for (const [framework = '', ...cells] of tested) {
      // Both platforms of NestJS have one spec; HTTP/2 is that of Fastify.
      if (framework === 'NestJS on Express') continue;
      const specs = examplesOf(framework).map((example) => read(`spec/integrations/${example}.spec.ts`));
      expect(cells.at(-1) === 'yes', framework).to.equal(specs.every((spec) => spec.includes('startHttp2')));
    }
  });

  it('has a line that stops each framework, which is the one of its example', () => {
    const stopped: string[] = [];
    for (const [framework = '', line = ''] of rowsOf('Stop'))
      for (const example of examplesOf(framework)) {
        const code = read(`demo/frameworks/${example}.ts`);
        const shared = /\blisten\(server, /.test(code) ? read('demo/frameworks/demo.ts') : '';
        // An arrow function that returns a promise does the same as one that awaits it.
        const wanted = line.replaceAll('`', '');
        const returned = wanted.replace(/^await (.*);$/, '=> $1');
        const found = [wanted, returned].some((each) => dense(code + shared).includes(dense(each)));
        expect(found, `${example}: ${wanted}`).to.equal(true);
        stopped.push(example);
      }
    expect(stopped).to.include.members(tested.flatMap(([framework = '']) => examplesOf(framework)));
  });

  it('has an example and a section for each framework', () => {
    for (const [framework = ''] of tested)
      for (const example of examplesOf(framework)) {
        expect(existsSync(join(root, `demo/frameworks/${example}.ts`)), example).to.equal(true);
        expect(page.toLowerCase()).to.match(new RegExp(`^## ${example}`, 'm'));
      }
  });
});
