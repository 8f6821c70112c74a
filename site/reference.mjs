/**
 * `npm run docs:reference`: writes docs/reference.md and docs/reference-ws.md from the docstrings. With `--check` it writes nothing, and
 * fails if they would change.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const docs = join(here, '..', 'docs');
const typedoc = join(dirname(createRequire(import.meta.url).resolve('typedoc/package.json')), 'bin', 'typedoc');

const pages = [
  {
    from: 'webSocketHandler.md',
    to: 'reference.md',
    begin: `# Reference

This page is for people who look up a class, a function or a type of \`node-websocket-handler\`. It is generated from the docstrings
(\`npm run docs:reference\`). [The API](api.md) explains the same with examples. [The API of ws](reference-ws.md) and [topics](reference-topics.md) have pages of their own.`,
  },
  {
    from: 'topics.md',
    to: 'reference-topics.md',
    begin: `# Reference of node-websocket-handler/topics

This page is for people who look up a class or a type of \`node-websocket-handler/topics\`. It is generated from the docstrings
(\`npm run docs:reference\`). [Topics](topics.md) explains the same with examples.`,
  },
  {
    from: join('adapters', 'ws.md'),
    to: 'reference-ws.md',
    begin: `# Reference of node-websocket-handler/ws

This page is for people who look up a class or a type of \`node-websocket-handler/ws\`, the API of ws. It is generated from the docstrings
(\`npm run docs:reference\`). [Coming from ws](from-ws.md) explains the differences.`,
  },
];

const out = mkdtempSync(join(tmpdir(), 'reference-'));
const changed = [];
try {
  execFileSync(
    process.execPath,
    [typedoc, '--options', join(here, 'typedoc.json'), '--logLevel', 'Error', '--out', out],
    {
      cwd: here,
      stdio: 'inherit',
    },
  );
  for (const { from, to, begin } of pages) {
    const generated = readFileSync(join(out, from), 'utf8')
      .replace(/^# .*\n/, '')
      .replaceAll('](../webSocketHandler.md', '](reference.md')
      .replaceAll('](adapters/ws.md', '](reference-ws.md')
      .replaceAll('](webSocketHandler.md', '](reference.md')
      .replaceAll('](topics.md#', '](reference-topics.md#')
      .replaceAll(/[ \t]+$/gm, '');
    const page = `${begin}\n${generated.trimEnd()}\n`;
    const path = join(docs, to);
    if (readFileSync(path, { encoding: 'utf8', flag: 'a+' }) === page) continue;
    changed.push(to);
    if (!process.argv.includes('--check')) writeFileSync(path, page);
  }
} finally {
  rmSync(out, { recursive: true });
}
if (changed.length > 0 && process.argv.includes('--check')) {
  console.error(`Run npm run docs:reference, and commit docs/${changed.join(' and docs/')}`);
  process.exitCode = 1;
}
