import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { homepage } from '../package.json';

const root = join(__dirname, '..');
/** Addresses of the repository. `spec/manifest.spec.ts` compares them with its files. */
const repository = homepage.replace(/#.*/, '');
const filesOfRepository = [repository, repository.replace('https://github.com/', 'https://raw.githubusercontent.com/')];

/** The pages for people, in the package and in the repository; not the reports of the API. */
function pages(): string[] {
  const markdown = (folder: string) => readdirSync(join(root, folder)).filter((name) => /(?<!\.api)\.md$/.test(name));
  return [...markdown('.'), ...markdown('docs').map((name) => join('docs', name)), 'llms.txt'];
}

/** The links of Markdown to other servers, without those in code. */
export function externalLinksIn(markdown: string): string[] {
  const text = markdown.replace(/^ *```.*?^ *```/gms, '').replaceAll(/(?<!\[)`[^`\n]*`(?!\])/g, '');
  const links = [...text.matchAll(/\]\(\s*<?([^)\s>]+)/g)].map(([, link = '']) => link);
  return links.filter((link) => /^[a-z]+:/i.test(link) && !filesOfRepository.some((each) => link.startsWith(each)));
}

/** The external links of README, docs and the other pages, each with the pages that have it. */
export function externalLinks(): Map<string, string[]> {
  const links = new Map<string, string[]>();
  for (const page of pages())
    for (const link of externalLinksIn(readFileSync(join(root, page), 'utf8')))
      links.set(link, [...new Set([...(links.get(link) ?? []), page])]);
  return links;
}

export interface LinkResult {
  readonly url: string;
  /** `refused`: the server does not answer programs, so nothing is known about the page. */
  readonly state: 'alive' | 'dead' | 'refused';
  /** The status, or the error of the connection. */
  readonly detail: string;
}

const atOnce = 8;
const timeout = 20_000;
const attempts = 3;
const statusesOfRefusal = [401, 403, 429];

/**
 * Fetches each URL once: with HEAD and, if the answer is an error, with GET. Errors of the connection and of the server (5xx) are tried again.
 * @param pause milliseconds before the second attempt; before the third it is twice as long
 */
export async function checkLinks(urls: Iterable<string>, pause = 1000): Promise<LinkResult[]> {
  const waiting = [...urls];
  const results: LinkResult[] = [];
  const work = async () => {
    for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) results.push(await checkLink(url, pause));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results.sort((one, other) => (one.url < other.url ? -1 : 1));
}

async function checkLink(url: string, pause: number): Promise<LinkResult> {
  let detail = '';
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await delay(pause * attempt);
    try {
      const status = (await statusOf(url, 'HEAD')) < 400 ? 200 : await statusOf(url, 'GET');
      detail = String(status);
      if (status < 400) return { url, state: 'alive', detail };
      if (statusesOfRefusal.includes(status)) return { url, state: 'refused', detail };
      if (status < 500) break;
    } catch (error) {
      const { message, cause } = error as Error;
      detail = cause instanceof Error ? `${message}: ${cause.message}` : message;
    }
  }
  return { url, state: 'dead', detail };
}

async function statusOf(url: string, method: 'HEAD' | 'GET'): Promise<number> {
  const { status, body } = await fetch(url, { method, signal: AbortSignal.timeout(timeout) });
  await body?.cancel();
  return status;
}
