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
  /** A process of ours as a part of another one of the same code. */
  readonly noise: Summary | undefined;
  /** `'noise'`: it is missed by no more than two processes of the same code are apart. */
  readonly result: 'met' | 'noise' | 'missed';
}

export function judge({ marks }: Scenario, rounds: Rounds): Verdict[] {
  return marks.flatMap((mark) => {
    const { figure, subject, against, atMost } = mark;
    const valuesOf = (name: Mark['subject']) => rounds[name]?.map((figures) => figures[figure] ?? Number.NaN);
    const ours = valuesOf(subject);
    const theirs = against === undefined ? undefined : valuesOf(against);
    // Not all contenders were asked for.
    if (ours === undefined || (against !== undefined && theirs === undefined)) return [];
    const compared = theirs === undefined ? summarize(ours) : summarizeRatios(ours, theirs);
    const [one, other] = mark.noise?.map(valuesOf) ?? [];
    const noise = one && other && summarizeRatios(one, other);
    return {
      mark,
      ours: summarize(ours),
      theirs: theirs && summarize(theirs),
      compared,
      noise,
      result: resultOf(atMost, compared, noise),
    };
  });
}

function resultOf(atMost: number, compared: Summary, noise: Summary | undefined): Verdict['result'] {
  if (compared.median <= atMost) return 'met';
  const floor = noise === undefined ? 0 : Math.abs(noise.median - 1);
  return compared.median <= atMost * (1 + floor) ? 'noise' : 'missed';
}
