/**
 * `npm run docs:audit`: opens pages of the built site in Chromium, checks them with axe-core, and operates the first one by the keyboard.
 * Prints what is wrong. Build the site before: `npm run docs:site`.
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import serveStatic from 'serve-static';
import { accessibilityViolations, keyboardFaults } from '../spec/support/accessibility';
import { startChromium } from '../spec/support/peers';
import { chromium } from '../spec/support/tools';

const built = join(__dirname, '..', 'site', '.vitepress', 'dist');
const startPage = '/';
/** One with code in several languages. */
const pageOfCode = '/tutorial';

/** The name of VitePress's search button is "Search"; the keys of the shortcut, which it shows as well, are no part of its name. */
const accepted = 'label-content-name-mismatch: .DocSearch:';

async function audit(page: Page, origin: string): Promise<string[]> {
  const faults: string[] = [];
  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 360],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 720 });
    for (const path of [startPage, pageOfCode]) {
      await page.goto(`${origin}${path}`, { waitUntil: 'networkidle' });
      const found = (await accessibilityViolations(page)).filter((fault) => !fault.startsWith(accepted));
      if (path === startPage) found.push(...(await keyboardFaults(page)));
      faults.push(...found.map((fault) => `${path}, ${colorScheme}, ${width} px: ${fault}`));
    }
  }
  return faults;
}

async function main(): Promise<void> {
  if (!existsSync(built)) throw new Error('There is no site to check: run npm run docs:site');
  if (chromium.path === undefined) throw new Error(`This needs ${chromium.name}: ${chromium.command}`);
  const files = serveStatic(built, { extensions: ['html'] });
  const server = createServer((request, response) => files(request, response, () => response.writeHead(404).end()));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const browser = await startChromium(chromium.path);
  try {
    const faults = await audit(await browser.newPage(), `http://localhost:${(server.address() as AddressInfo).port}`);
    for (const fault of faults) console.error(fault);
    console.log(`${faults.length} faults`);
    if (faults.length > 0) process.exitCode = 1;
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

void main();
