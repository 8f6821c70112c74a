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

/** Finds what a user can operate, and names each element by its position in the page. The focus is moved in the page itself. */
const operable = `(() => {
  const selector = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  return [...document.querySelectorAll(selector)].filter((each) => !each.disabled && each.checkVisibility());
})()`;
const nameOf = (element: string) => `((element) =>
  [...document.querySelectorAll('*')].indexOf(element) + ' ' + element.outerHTML.slice(0, 80))(${element})`;

/**
 * Presses Tab until the focus is where it has been before.
 * @returns the elements that Tab does not reach, and those that do not show that they have the focus
 */
export async function keyboardFaults(page: Page): Promise<string[]> {
  const missed = new Set((await page.evaluate(`${operable}.map((each) => ${nameOf('each')})`)) as string[]);
  const reached = new Set<string>();
  const faults: string[] = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const focused = (await page.evaluate(nameOf('document.activeElement'))) as string;
    if (reached.has(focused)) break;
    reached.add(focused);
    missed.delete(focused);
    // After the last element the focus leaves the page for the browser's own buttons.
    const outline = await page.evaluate(
      `document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== 'none'`,
    );
    if (outline !== true) faults.push(`shows no focus: ${focused}`);
  }
  return [...faults, ...[...missed].map((element) => `is not reached by Tab: ${element}`)];
}
