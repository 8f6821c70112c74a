/** What several rounds have in common, and how far they are apart: half of them are between the quartiles. */
export interface Summary {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
}

export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => {
    const place = part * (sorted.length - 1);
    const below = sorted[Math.floor(place)] ?? Number.NaN;
    const above = sorted[Math.ceil(place)] ?? Number.NaN;
    return below + (above - below) * (place % 1);
  };
  return { median: at(0.5), lower: at(0.25), upper: at(0.75) };
}

/** One round's figure is compared with the same round's: machines swing by tens of per cent, but both halves of a round together. */
export function summarizeRatios(ours: readonly number[], theirs: readonly number[]): Summary {
  return summarize(ours.map((figure, round) => figure / (theirs[round] ?? Number.NaN)));
}
