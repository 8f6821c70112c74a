/** How figures are called and written. */
export interface FigureStyle {
  readonly title: string;
  readonly format: (value: number) => string;
}

/** Three digits, so that what is shown is what was measured. */
function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(value < 0.1 ? 2 : 3);
}

const styles: Record<string, FigureStyle> = {
  cpu: { title: 'CPU time, µs', format: digits },
  throughput: { title: 'per second', format: digits },
  perCpuSecond: { title: 'per second of CPU time', format: digits },
  wire: { title: 'bytes on the wire', format: digits },
  resident: { title: 'resident, KiB', format: digits },
  heap: { title: 'heap of JavaScript, KiB', format: digits },
  p50: { title: 'median, ms', format: digits },
  p99: { title: '99 %, ms', format: digits },
  p999: { title: '99.9 %, ms', format: digits },
  longestPause: { title: 'longest stop for garbage, ms', format: digits },
  pausesPerMessage: { title: 'stops for garbage, µs per message', format: digits },
  server: { title: 'server, MiB', format: digits },
  client: { title: 'client, MiB', format: digits },
  seconds: { title: 'seconds', format: digits },
  slowestPing: { title: 'slowest ping, ms', format: digits },
};

export function styleOf(figure: string): FigureStyle {
  return styles[figure] ?? { title: figure, format: digits };
}

export function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio < 0.1 ? 3 : 2);
}
