import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type MarkdownOptions } from 'vitepress';

const root = join(import.meta.dirname, '..', '..');

/** The address of the repository, without `git+` and `.git`; undefined if package.json names none. */
function repositoryAddress(): string | undefined {
  const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const url: string | undefined = typeof repository === 'string' ? repository : repository?.url;
  return url?.replace(/^git\+/, '').replace(/\.git$/, '');
}

const repository = repositoryAddress();

type Markdown = Parameters<NonNullable<MarkdownOptions['config']>>[0];
type Token = ReturnType<Markdown['parse']>[number];

/** Turns links out of docs/ into links to the repository or, without its address, into plain text. */
function leadToRepository(inline: readonly Token[]): void {
  for (const [i, token] of inline.entries()) {
    const href = token.type === 'link_open' ? token.attrGet('href') : null;
    if (!href?.startsWith('../')) continue;
    if (repository !== undefined) {
      token.attrSet('href', `${repository}/blob/main/${href.slice('../'.length)}`);
      continue;
    }
    const close = inline.slice(i).find(({ type }) => type === 'link_close');
    for (const each of [token, close]) Object.assign(each ?? {}, { type: 'text', content: '', nesting: 0 });
  }
}

function linksToRepository(markdown: Markdown): void {
  markdown.core.ruler.push('links to the repository', ({ tokens }) => {
    for (const { children } of tokens) leadToRepository(children ?? []);
  });
}

/** Shows `{{` in inline code as it is written. Without this, Vue evaluates what follows, and the page fails. */
function literalInlineCode(markdown: Markdown): void {
  markdown.core.ruler.push('literal inline code', ({ tokens }) => {
    for (const { children } of tokens)
      for (const token of children ?? []) if (token.type === 'code_inline') token.attrSet('v-pre', '');
  });
}

/** The pages of docs/, in the order of docs/README.md. */
const sidebar = [
  {
    text: 'Begin',
    items: [
      { text: 'Tutorial', link: '/tutorial' },
      { text: 'Frameworks', link: '/frameworks' },
      { text: 'Coming from ws', link: '/from-ws' },
      { text: 'Coming from others', link: '/coming-from' },
    ],
  },
  {
    text: 'Do one thing',
    items: [
      { text: 'Recipes', link: '/recipes' },
      { text: 'Topics', link: '/topics' },
      { text: 'Scaling', link: '/scaling' },
      { text: 'Command line', link: '/cli' },
      { text: 'HTTP/2', link: '/http2' },
      { text: 'Runtimes and tools', link: '/runtimes' },
    ],
  },
  {
    text: 'Understand',
    items: [
      { text: 'Guarantees', link: '/guarantees' },
      { text: 'How a WebSocket ends', link: '/endings' },
      { text: 'Features', link: '/features' },
      { text: 'Compatibility', link: '/compatibility' },
      { text: 'Security', link: '/security' },
      { text: 'Memory and capacity', link: '/capacity' },
      { text: 'Performance', link: '/performance' },
      { text: 'Reliability', link: '/reliability' },
    ],
  },
  {
    text: 'Look up',
    items: [
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'Errors', link: '/errors' },
      { text: 'API', link: '/api' },
      { text: 'Reference', link: '/reference' },
      { text: 'Reference of topics', link: '/reference-topics' },
      { text: 'Reference of the API of ws', link: '/reference-ws' },
    ],
  },
  { text: 'Change the library', items: [{ text: 'Architecture', link: '/architecture' }] },
];

export default defineConfig({
  title: 'node-websocket-handler',
  description: 'WebSockets for Node as streams, accepted inside the ordinary HTTP request handler',
  lang: 'en',
  srcDir: '../docs',
  srcExclude: ['*.api.md'],
  rewrites: { 'README.md': 'index.md' },
  cleanUrls: true,
  ignoreDeadLinks: ['http://localhost:4080'],
  // The colours of the default are too faint for their backgrounds (WCAG 1.4.3).
  head: [['style', {}, 'html:root { --vp-code-lang-color: var(--vp-c-text-2); }']],
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(markdown) {
      linksToRepository(markdown);
      literalInlineCode(markdown);
    },
  },
  // The pages are outside of this folder, and would not find the package that they are compiled for.
  vite: {
    resolve: { alias: [{ find: /^vue(?=$|\/)/, replacement: join(import.meta.dirname, '..', 'node_modules', 'vue') }] },
  },
  /** VitePress prints the error of a page that Vue cannot render, writes the page without its text, and ends with the code 0. */
  transformHtml(html, page) {
    // The page 404 is rendered in the browser.
    if (!page.endsWith('404.html') && !html.includes('<h1'))
      throw new Error(`${page} has no heading: see the error above`);
  },
  /** For coding assistants: llms.txt, SKILL.md and the pages as Markdown, which they link to. */
  buildEnd({ outDir }) {
    for (const name of ['llms.txt', 'SKILL.md']) cpSync(join(root, name), join(outDir, name));
    for (const page of readdirSync(join(root, 'docs')).filter((name) => /(?<!\.api)\.md$/.test(name))) {
      cpSync(join(root, 'docs', page), join(outDir, 'docs', page));
    }
  },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
  },
});
