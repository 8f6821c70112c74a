import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { WebSocketServer as WsServer } from 'ws';
import { overhead } from '../lib/framing/cost';
import { defaults } from '../lib/options';
import { fillPage } from '../scripts/docTables';
import { codeBlocks, programs } from './support/codeBlocks';

const root = join(__dirname, '..');

/** The pages for people, without the API report. */
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SKILL.md',
  'llms.txt',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md') && !name.endsWith('.api.md'))
    .map((name) => `docs/${name}`),
];

/** The pages that are made from the docstrings, whose paragraphs and examples are those of the source. */
const generated = (page: string) => /^docs\/reference(?:-\w+)?\.md$/.test(page);

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

/** The anchors of a page: those of its headings, numbered if there are equal ones, and those that are written out. */
function anchorsOf(markdown: string): string[] {
  const text = withoutCode(markdown);
  const seen = new Map<string, number>();
  const ofHeadings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = anchorOf(heading);
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  return [...ofHeadings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)];
}

/** The links of a page that lead nowhere. */
function brokenLinks(page: string, markdown: string): string[] {
  const links = [
    ...withoutCode(markdown)
      .replaceAll(/`[^`\n]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, link = '']) => link);
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

/** The names that the `export` statements of a file list. */
function exportedNames(source: string): string[] {
  return [...source.matchAll(/^export (?:type )?\{(.*?)\}/gms)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((each) => each.trim().split(/\s+/).at(-1) ?? '')
      .filter((name) => name !== ''),
  );
}

const marksAsText = ({ messages, bytes }: { readonly messages: number; readonly bytes: number }) =>
  `${messages} messages or ${bytes / 1024} KiB`;

/** The value of a constant of a source file, which is a product such as `256 * 1024`. */
function sizeInSource(file: string, name: string): number {
  const [, product = ''] = new RegExp(`^const ${name} = ([\\d *]+);$`, 'm').exec(read(file)) ?? [];
  return product.split('*').reduce((result, factor) => result * Number(factor), 1);
}

const inWords = (count: number) => ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'][count];

/** The figures in the cells of the tables between `<!-- figures -->` and `<!-- /figures -->`. */
function figuresOf(markdown: string): string[] {
  return [...markdown.matchAll(/<!-- figures -->(.*?)<!-- \/figures -->/gs)].flatMap(([, tables = '']) =>
    [...tables.matchAll(/(?<=\| )[\d.]+(?= (?:KiB )?\|)/g)].map(([figure]) => figure),
  );
}

/** The figures of a page that no figure of the results rounds to. */
function unknownFigures(markdown: string, results: string): string[] {
  const known = [...results.matchAll(/(?<=[ (])[\d,]*\d(?:\.\d+)?(?=[ )–])/g)].map(([text]) =>
    Number(text.replaceAll(',', '')),
  );
  return figuresOf(markdown).filter((figure) => {
    const decimals = figure.split('.')[1]?.length ?? 0;
    return !known.some((value) => value.toFixed(decimals) === figure);
  });
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

    if (!generated(page))
      it(`${page}: no paragraph has more than five lines`, () => {
        expect(longParagraphs(read(page))).to.deep.equal([]);
      });
  }

  it('docs/README.md and the site: lead to every page', () => {
    const names = pages
      .filter((page) => /^docs\/(?!README)/.test(page))
      .map((page) => page.slice('docs/'.length, -'.md'.length));
    const inIndex = [...read('docs/README.md').matchAll(/\]\(([\w-]+)\.md\)/g)].map(([, name]) => name);
    const onSite = [...read('site/.vitepress/config.mts').matchAll(/link: '\/([\w-]+)'/g)].map(([, name]) => name);
    expect(inIndex).to.include.members(names);
    expect(onSite).to.have.members(names);
  });

  it('docs/architecture.md: names only files that are there', () => {
    expect(missingFiles(read('docs/architecture.md'))).to.deep.equal([]);
  });
});

describe('The code of the documentation', () => {
  /** The pages for which some spec has a trial of each block. */
  const described = filesIn(join(root, 'spec')).flatMap((file) => {
    const text = readFileSync(join(root, 'spec', file), 'utf8');
    const named = [...text.matchAll(/\bdescribeBlocks\('([^']+)'/g), ...text.matchAll(/^const page = '([^']+)';$/gm)];
    return text.includes('describeBlocks(') ? named.map(([, page]) => page) : [];
  });

  for (const page of pages.filter((each) => !generated(each) && programs(each).length > 0)) {
    it(`${page}: is run by describeBlocks() in a spec`, () => {
      expect(described).to.include(page);
    });
  }

  it('calls only scripts that the package.json at its side has, and options that the command line has', () => {
    const scripts = JSON.parse(read('package.json')).scripts;
    const options = read('demo/client/options.ts');
    const unknown = pages.flatMap((page) =>
      codeBlocks(page)
        .filter(({ language }) => language === 'sh')
        .flatMap(({ code }) => code.split('\n'))
        .filter((line) => {
          const scriptNames = [...line.matchAll(/\bnpm (?:run )?(?:--silent )?([^\s)]+)/g)].map(
            ([, name = '']) => name,
          );
          const own = ['ci', 'install', 'test', 'start', 'ls', 'pack', 'version', 'publish', 'init'];
          const flags = /npx node-websocket-handler (.*)/.exec(line)?.[1]?.match(/(?<= |^)--?[a-z-]+/gi) ?? [];
          return (
            scriptNames.some((name) => !own.includes(name) && scripts[name] === undefined) ||
            flags.some((flag) => !options.includes(flag.replace(/^-+/, '')))
          );
        }),
    );
    expect(unknown).to.deep.equal([]);
  });
});

describe('What the documentation takes from the source', () => {
  for (const page of pages.filter((each) => each.startsWith('docs/') && read(each).includes('<!-- table:'))) {
    it(`${page}: has the tables that npm run docs:tables writes`, () => {
      expect(fillPage(page.slice('docs/'.length), read(page))).to.equal(read(page));
    });
  }

  it('docs/api.md: the defaults in the tables are those of lib/options/defaults.ts', () => {
    const inTables = new Map(
      [...read('docs/api.md').matchAll(/^\| `(\w+)`(?: ●)? \| [^|]* \| ([^|]*) \|/gm)].map(
        ([, name = '', text = '']) => [name, text],
      ),
    );
    const inSource = {
      maxMessageSize: `${defaults.maxMessageSize / 1024 ** 2} MiB`,
      maxBufferedAmount: `${defaults.maxBufferedAmount / 1024 ** 2} MiB`,
      closeTimeout: defaults.closeTimeout.toLocaleString('en'),
      heartbeat: defaults.heartbeat.interval.toLocaleString('en'),
      sendTimeout: defaults.sendTimeout.toLocaleString('en'),
      handshakeTimeout: defaults.handshakeTimeout.toLocaleString('en'),
      initialDelay: defaults.initialDelay.toLocaleString('en'),
      maxDelay: defaults.maxDelay.toLocaleString('en'),
      limit: String(defaults.lagLimit),
      readableHighWaterMark: marksAsText(defaults.readableHighWaterMark),
      writableHighWaterMark: marksAsText(defaults.writableHighWaterMark),
    };
    for (const [name, text] of Object.entries(inSource)) expect(inTables.get(name), name).to.equal(text);
  });

  it('docs/api.md: the figures in its text follow from the defaults', () => {
    const { heartbeat, maxBufferedAmount, maxMessageSize, sendTimeout, closeTimeout } = defaults;
    const seconds = sendTimeout / 1000;
    const largestWrite = sizeInSource('lib/connection/byteChannel.ts', 'largestWrite');
    const largestHttp2Write = sizeInSource('lib/transports/http2Streams.ts', 'largestWrite');
    const perSecond = (bytes: number) => Number((bytes / seconds / 1000).toPrecision(2));
    const text = read('docs/api.md').replaceAll(/\s+/g, ' ');
    for (const claim of [
      `after half of \`closeTimeout\` (${closeTimeout / 2000} seconds with the default)`,
      `another ${overhead} bytes`,
      `\`maxBufferedAmount\`, ${maxBufferedAmount / 1024 ** 2} MiB`,
      `${maxBufferedAmount / 1024 ** 2} MiB are ${inWords(maxBufferedAmount / maxMessageSize)} of the largest messages`,
      `\`sendTimeout\`, ${seconds} s`,
      `less than ${perSecond(maxBufferedAmount)} KB/s (${maxBufferedAmount / 1024 ** 2} MiB in ${seconds} s)`,
      `reads ${perSecond(largestWrite)} KB/s or more (${largestWrite / 1024} KiB in ${seconds} s)`,
      `pieces of up to ${largestWrite / 1024} KiB (over HTTP/2, ${largestHttp2Write / 1024} KiB)`,
      `every ${Math.min(heartbeat.interval, heartbeat.timeout) / 2000} seconds with the default \`heartbeat\``,
      `interval plus timeout, ${(heartbeat.interval + heartbeat.timeout) / 1000} seconds with the default`,
    ])
      expect(text).to.include(claim);
  });

  it('docs/api.md and docs/capacity.md: the memory of zlib follows from its settings', () => {
    const api = read('docs/api.md');
    const exponent = (option: string) =>
      Number(new RegExp(`^\\| \`${option}\` \\| [^|]* \\| (\\d+)`, 'm').exec(api)?.[1]);
    const [, theirs, ours] =
      /it may have 32 KiB \((\d+)\), and the compressor of this library uses 8 KiB of them \((\d+)\)/
        .exec(api)
        ?.map(Number) ?? [];
    // zconf.h of zlib has both formulas, and "a few kilobytes for small objects".
    const compressor = (2 ** (Number(ours) + 2) + 2 ** (exponent('memLevel') + 9)) / 1024;
    const decompressor = 2 ** Number(theirs) / 1024;
    const outputs = (2 * sizeInSource('lib/extensions/zlibEngines.ts', 'chunkSize')) / 1024;
    const [, sum, ofCompressor, ofDecompressor, ofOutputs, ofStates] =
      /about (\d+) KiB of memory for zlib: (\d+) KiB .* (\d+) KiB .* (\d+) KiB .* (\d+) KiB/
        .exec(api.replaceAll(/\s+/g, ' ').replace(/the state of both.*/, ''))
        ?.map(Number) ?? [];
    expect([ofCompressor, ofDecompressor, ofOutputs]).to.deep.equal([compressor, decompressor, outputs]);
    expect(compressor + decompressor + outputs + Number(ofStates)).to.be.closeTo(Number(sum), 5);
    expect(read('docs/capacity.md')).to.include(`about ${sum} KiB`);
  });

  it('docs/from-ws.md: the figures are those of bench/results.md, of the bench, and of the ws package', () => {
    const page = read('docs/from-ws.md').replaceAll(/\s+/g, ' ');
    const ratio = (kind: string) => {
      const row = new RegExp(
        `^\\| Echoes: ${kind}, 20 B, 64 in flight, .* \\| ours [\\d.]+ \\| ws [\\d.]+ \\| ([\\d.]+) `,
        'm',
      );
      return Number(row.exec(read('bench/results.md'))?.[1]).toFixed(2);
    };
    const [, target] = /cpu\('ours, API of ws', \{ ws: ([\d.]+) \}\)/.exec(read('bench/scenarios.ts')) ?? [];
    const wss = new WsServer({ noServer: true }).options as { maxPayload: number; closeTimeout: number };
    for (const claim of [
      `takes ${ratio('text')} of the CPU time that it takes with ws for text, and ${ratio('binary')} for bytes`,
      `The target of the bench is at most ${target};`,
      `\`maxPayload\`, ${wss.maxPayload / 1024 ** 2} MiB`,
      `\`closeTimeout\`, ${wss.closeTimeout / 1000} s | same, with ${defaults.closeTimeout / 1000} s`,
      `if more than ${defaults.maxBufferedAmount / 1024 ** 2} MiB wait for a peer`,
      `\`handshakeTimeout\` | same, with a default of ${defaults.handshakeTimeout / 1000} s`,
    ])
      expect(page).to.include(claim);
  });

  it('docs/reference.md and docs/reference-ws.md: have every name that is exported', () => {
    for (const [page, file] of [
      ['docs/reference.md', 'lib/webSocketHandler.ts'],
      ['docs/reference-ws.md', 'lib/adapters/ws/index.ts'],
      ['docs/reference-topics.md', 'lib/topics/index.ts'],
    ] as const) {
      const headings = [...read(page).matchAll(/^### (\w+)/gm)].map(([, name]) => name);
      expect(headings, page).to.include.members(exportedNames(read(file)));
    }
  });

  it('docs/capacity.md: the figures of the bench are those of bench/results.md', () => {
    const page = read('docs/capacity.md');
    expect(figuresOf(page)).to.have.length.above(20);
    expect(unknownFigures(page, read('bench/results.md'))).to.deep.equal([]);
  });

  it('README.md: its claims about speed and memory are those of bench/results.md', () => {
    const results = read('bench/results.md');
    const small = [
      ...results.matchAll(/^\| Echoes: \w+, 20 B, 64 in flight, .* \| ours [\d.]+ \| ws [\d.]+ \| ([\d.]+) /gm),
    ].map(([, ratio]) => Number(ratio));
    expect(small).to.have.lengthOf(2);
    for (const ratio of small) expect(ratio).to.be.below(0.1);
    const [, mebibytes] = /server, MiB: an echo of 4 GiB in one message;[^|]*\| ours ([\d.]+) /.exec(results) ?? [];
    expect(read('README.md')).to.include(
      `an echo of one message of 4 GiB takes ${Math.round(Number(mebibytes))} MiB of memory`,
    );
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

  it('find a figure that is not in the results', () => {
    const page = '<!-- figures -->\n| a | 7.3 KiB | 12 |\n<!-- /figures -->\n| not checked | 5 |';
    expect(unknownFigures(page, '| ours | 7.31 (7.28–7.39) |')).to.deep.equal(['12']);
  });

  it('number equal headings, and know anchors that are written out', () => {
    expect(anchorsOf('# One\n# Two\n# One\n<a id="three"></a>')).to.deep.equal(['one', 'two', 'one-1', 'three']);
  });

  it('find a paragraph of six lines, but none in code', () => {
    const six = 'a\nb\nc\nd\ne\nf';
    expect(longParagraphs(`${six}\n\n- a\n- b\n- c\n- d\n- e\n- f\n\n\`\`\`\n${six}\n\`\`\``)).to.have.lengthOf(1);
  });
});
