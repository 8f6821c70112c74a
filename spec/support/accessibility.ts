import { source } from 'axe-core';
import type { Page } from 'playwright-core';

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary: string }[];
}

/**
 * Checks a page, as it is shown at this moment, with all rules of axe-core that are on by default: WCAG, levels A and AA, and best practices.
 * @returns a line for each element that breaks a rule
 */
export async function accessibilityViolations(page: Page): Promise<string[]> {
  await page.evaluate(source);
  const { violations } = (await page.evaluate('axe.run()')) as { readonly violations: readonly Violation[] };
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${help}. ${failureSummary}`),
  );
}

/** Remembers what Tab has to reach. Elements are compared by identity, because pages may change their attributes and add others. */
const start = `(() => {
  const selector = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  const operable = [...document.querySelectorAll(selector)].filter((each) => !each.disabled && each.checkVisibility());
  window.tabbing = { missed: new Set(operable), reached: new Set() };
})()`;

/** Returns what is wrong with the focused element, or undefined if it was focused before: Tab has been everywhere. */
const look = `(() => {
  const { activeElement: focused, body } = document;
  const { missed, reached } = window.tabbing;
  if (reached.has(focused)) return undefined;
  reached.add(focused);
  missed.delete(focused);
  // After the last element the focus leaves the page for the browser's own buttons.
  const isShown = focused === body || getComputedStyle(focused).outlineStyle !== 'none';
  return isShown ? [] : ['shows no focus: ' + focused.outerHTML.slice(0, 100)];
})()`;

const notReached = `[...window.tabbing.missed].map((each) => 'is not reached by Tab: ' + each.outerHTML.slice(0, 100))`;

/**
 * Presses Tab until the focus is where it has been before.
 * @returns the elements that Tab does not reach, and those that do not show that they have the focus
 */
export async function keyboardFaults(page: Page): Promise<string[]> {
  const faults: string[] = [];
  await page.evaluate(start);
  for (;;) {
    await page.keyboard.press('Tab');
    const found = (await page.evaluate(look)) as string[] | undefined;
    if (found === undefined) return [...faults, ...((await page.evaluate(notReached)) as string[])];
    faults.push(...found);
  }
}
