/** The value below which this part of the values is. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

/** The slope of a line through points, and the half width of its 95 % interval, in units of y for each unit of x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): { value: number; interval: number } {
  const count = points.length;
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / count;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const value = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const rest = points.reduce((sum, [x, y]) => sum + (y - meanY - value * (x - meanX)) ** 2, 0);
  // 1.96 is right for many points; with few the interval is a little too narrow.
  return { value, interval: 1.96 * Math.sqrt(rest / Math.max(1, count - 2) / spread) };
}
