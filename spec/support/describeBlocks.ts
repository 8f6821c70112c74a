import { expect } from 'chai';
import { type CodeBlock, programs } from './codeBlocks';

/** Runs a block of code, and checks what it does. */
export type Trial = (block: CodeBlock) => unknown;

/**
 * Describes the code of a page: each block is run by its trial. It fails if the page has a block without a trial. Commands in a shell
 * (`sh`) are left to `spec/docs.spec.ts`.
 * @param trials by the heading above the blocks; a list if there are several
 */
export function describeBlocks(page: string, trials: Readonly<Record<string, Trial | readonly Trial[]>>): void {
  const blocks = programs(page);
  const headings = [...new Set(blocks.map(({ heading }) => heading))];

  describe(`The code of ${page}`, () => {
    let current: CodeBlock | undefined;
    afterEach(() => current?.stop());

    it('is run by a spec, each block of it', () => {
      const found = headings.map((heading) => [heading, blocks.filter((each) => each.heading === heading).length]);
      const expected = Object.entries(trials).map(([heading, trial]) => [heading, [trial].flat().length]);
      expect(Object.fromEntries(found)).to.deep.equal(Object.fromEntries(expected));
    });

    for (const heading of headings) {
      const below = blocks.filter((each) => each.heading === heading);
      for (const [index, trial] of [trials[heading] ?? []].flat().entries()) {
        it(`${heading}${below.length > 1 ? `, block ${index + 1}` : ''}`, async () => {
          current = below[index];
          if (current !== undefined) await trial(current);
        });
      }
    }
  });
}
