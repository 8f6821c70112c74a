/**
 * `npm run docs:links`: fetches every external link of the documentation, and lists those that are dead, with their pages. It depends on the
 * servers of others, so CI does not run it.
 */
import { checkLinks, externalLinks } from './externalLinks';

async function main(): Promise<void> {
  const links = externalLinks();
  const results = await checkLinks(links.keys());
  const notAlive = results.filter(({ state }) => state !== 'alive');
  for (const { url, state, detail } of notAlive)
    console.log(`${state}: ${url} (${detail}): ${links.get(url)?.join(', ')}`);
  const dead = notAlive.filter(({ state }) => state === 'dead').length;
  console.log(`${results.length} links, ${dead} dead, ${notAlive.length - dead} refused`);
  if (dead > 0) process.exitCode = 1;
}

void main();
