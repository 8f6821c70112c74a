import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ContenderName, isSecondProcess } from './contenders';
import { styleOf } from './figures';
import type { Figures, Scenario } from './scenario';
import { scenarios } from './scenarios';
import { type Summary, summarize } from './statistics';
import { keyOf, type Results } from './storedResults';

/** A plot of the figures of one section. */
interface Plot {
  readonly section: string;
  readonly file: string;
  readonly title: string;
  readonly specification: (points: readonly Point[]) => object;
}

/** One figure of one contender, as a plot needs it. */
interface Point extends Summary {
  readonly scenario: string;
  readonly contender: ContenderName;
  readonly figure: string;
  readonly connections: number;
  readonly size: number;
}

/** The same colour for a library in all plots. */
const colours: Partial<Record<string, string>> = {
  ours: '#d62728',
  ws: '#1f77b4',
  'uWebSockets.js': '#2ca02c',
  net: '#7f7f7f',
  'ws, createWebSocketStream': '#17becf',
  'ours, events': '#ff9896',
  'ours, for await': '#e377c2',
  'websocket-stream': '#9467bd',
  'faye-websocket': '#8c564b',
  websocket: '#bcbd22',
};

/** With a legend of those who are there. */
function colourOf(points: readonly Point[]): object {
  const names = Object.keys(colours).filter((name) => points.some(({ contender }) => contender === name));
  const scale = { domain: names, range: names.map((name) => colours[name]) };
  return { field: 'contender', type: 'nominal', title: null, scale };
}

const base = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  config: { axis: { labelLimit: 420 }, legend: { labelLimit: 300 } },
};

function growthPlot(title: string, x: 'connections' | 'size', y: string, points: readonly Point[]): object {
  const values = points
    .filter(({ figure }) => figure === 'cpu')
    .map((point) => {
      const divide = y.includes('byte') ? (value: number) => (value * 1000) / point.size : (value: number) => value;
      return { ...point, median: divide(point.median), lower: divide(point.lower), upper: divide(point.upper) };
    });
  const axis = { type: 'quantitative', scale: { type: 'log' } };
  const encoding = {
    x: { field: x, ...axis, title: x === 'size' ? 'bytes of a message' : 'connections' },
    color: colourOf(points),
  };
  return {
    ...base,
    title,
    width: 520,
    height: 320,
    data: { values },
    layer: [
      { mark: { type: 'line', point: true }, encoding: { ...encoding, y: { field: 'median', ...axis, title: y } } },
      { mark: 'rule', encoding: { ...encoding, y: { field: 'lower', ...axis }, y2: { field: 'upper' } } },
    ],
  };
}

function dotPlot(title: string, x: string, figures: readonly string[], points: readonly Point[]): object {
  const values = points
    .filter(({ figure, contender }) => figures.includes(figure) && contender in colours)
    .map((point) => ({ ...point, row: figures.length > 1 ? styleOf(point.figure).title : point.scenario }));
  const axis = { type: 'quantitative', scale: { type: 'log' }, title: x };
  const rows = [...new Set(values.map(({ row }) => row))];
  const y = { field: 'row', type: 'nominal', title: null, sort: rows, axis: { grid: true } };
  const encoding = { y, color: colourOf(points) };
  return {
    ...base,
    title,
    width: 560,
    height: { step: 30 },
    data: { values },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.5 },
        encoding: { ...encoding, x: { field: 'lower', ...axis }, x2: { field: 'upper' } },
      },
      { mark: { type: 'point', filled: true, size: 70 }, encoding: { ...encoding, x: { field: 'median', ...axis } } },
    ],
  };
}

function barPlot(title: string, figure: string, x: string, points: readonly Point[]): object {
  const values = points.filter((point) => point.figure === figure);
  return {
    ...base,
    title,
    width: 520,
    data: { values },
    mark: 'bar',
    encoding: {
      row: { field: 'scenario', title: null, header: { orient: 'top', labelAnchor: 'start' } },
      y: { field: 'contender', type: 'nominal', title: null, sort: 'x' },
      x: { field: 'median', type: 'quantitative', title: x },
      color: { ...colourOf(points), legend: null },
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
  };
}

export const plots: readonly Plot[] = [
  {
    section: 'Echoes',
    file: 'echoes',
    title: 'CPU time of a server for one echo',
    specification: (points) => dotPlot('CPU time of a server for one echo', 'µs', ['cpu'], points),
  },
  {
    section: 'Memory of an idle connection',
    file: 'memory',
    title: 'Resident memory of an idle connection',
    specification: (points) => barPlot('Resident memory of an idle connection', 'resident', 'KiB', points),
  },
  {
    section: 'Latency at half of the load that ws can bear',
    file: 'latency',
    title: 'Latency at half of the load that ws can bear',
    specification: (points) =>
      dotPlot('Latency at half of the load that ws can bear', 'ms', ['p50', 'p99', 'p999'], points),
  },
  {
    section: 'Growth of the number of connections',
    file: 'growthOfConnections',
    title: 'CPU time per message, by connections',
    specification: (points) =>
      growthPlot('1 KiB, 1 in flight on each connection', 'connections', 'CPU time per message, µs', points),
  },
  {
    section: 'Growth of messages',
    file: 'growthOfMessages',
    title: 'CPU time per message, by size',
    specification: (points) => growthPlot('4 connections', 'size', 'CPU time per message, µs', points),
  },
  {
    section: 'Growth of messages',
    file: 'growthOfMessagesPerByte',
    title: 'CPU time per byte, by size',
    specification: (points) => growthPlot('4 connections', 'size', 'CPU time per byte, ns', points),
  },
];

/** Writes `plots/*.svg`, of what has been measured. */
export async function drawPlots(results: Results): Promise<void> {
  const { draw } = await import('./drawing.mjs');
  const folder = join(__dirname, 'plots');
  mkdirSync(folder, { recursive: true });
  for (const { section, file, specification } of plots) {
    const points = scenarios
      .filter((scenario) => scenario.section === section)
      .flatMap((each) => pointsOf(each, results));
    if (points.length > 0) writeFileSync(join(folder, `${file}.svg`), `${await draw(specification(points))}\n`);
  }
}

function pointsOf(scenario: Scenario, { rounds }: Results): Point[] {
  const { connections, size } = scenario.work;
  const entries = Object.entries(rounds[keyOf(scenario)] ?? {}) as [ContenderName, Figures[]][];
  const drawn = entries.filter(([contender]) => !isSecondProcess(contender));
  return drawn.flatMap(([contender, figures]) =>
    Object.keys(figures[0] ?? {}).map((figure) => ({
      scenario: scenario.name,
      contender,
      figure,
      connections,
      size,
      ...summarize(figures.map((each) => each[figure] ?? Number.NaN)),
    })),
  );
}
