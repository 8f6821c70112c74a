import type { Rounds } from './compare';
import type { Mark, Scenario } from './scenario';
import { type Summary, summarize, summarizeRatios } from './statistics';

/** What has become of a mark. */
export interface Verdict {
  readonly mark: Mark;
  readonly ours: Summary;
  readonly theirs: Summary | undefined;
  /** Ours as a part of theirs, or ours if it is against nobody. */
  readonly compared: Summary;
  /** The subject as a part of another process of the same code. */
  readonly noise: Summary | undefined;
  readonly met: boolean;
}

export function judge({ marks }: Scenario, rounds: Rounds): Verdict[] {
  return marks.flatMap((mark) => {
    const { figure, subject, against, atMost, noise } = mark;
    const valuesOf = (name: Mark['subject']) => rounds[name]?.map((figures) => figures[figure] ?? Number.NaN);
    const ours = valuesOf(subject);
    const theirs = against === undefined ? undefined : valuesOf(against);
    const again = noise === undefined ? undefined : valuesOf(noise);
    // Not all contenders were asked for.
    if (ours === undefined || (against !== undefined && theirs === undefined)) return [];
    const compared = theirs === undefined ? summarize(ours) : summarizeRatios(ours, theirs);
    return {
      mark,
      ours: summarize(ours),
      theirs: theirs && summarize(theirs),
      compared,
      noise: again && summarizeRatios(ours, again),
      met: compared.median <= atMost,
    };
  });
}
