import uPlot from '/packages/uplot/uPlot.esm.js';

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const dark = matchMedia('(prefers-color-scheme: dark)');
const seconds = 60;

/** A plot of the last minute. */
export class Plot {
  #element;
  #data;
  #plot;

  /**
   * @param element what it is drawn in
   * @param lines the name of each line, and the variable of the style sheet that is its color
   * @param format shows a value
   */
  constructor(element, lines, format) {
    this.#element = element;
    this.#data = [[], ...lines.map(() => [])];
    const grid = { stroke: () => color('--line'), width: 1 };
    const axis = { stroke: () => color('--quiet'), grid, ticks: grid };
    const series = lines.map(({ label, variable }) => ({
      label,
      stroke: () => color(variable),
      width: 2,
      value: (_plot, value) => (value == null ? '' : format(value)),
    }));
    const options = {
      ...this.#size(),
      legend: { live: false },
      cursor: { show: false },
      scales: { x: { range: () => this.#range() }, y: { range: (_plot, _low, high) => [0, Math.max(high, 1) * 1.1] } },
      axes: [
        { ...axis, values: (_plot, times) => times.map((time) => `${Math.round(time)} s`) },
        { ...axis, size: 76, values: (_plot, values) => values.map(format) },
      ],
      series: [{}, ...series],
    };
    this.#plot = new uPlot(options, this.#data, element);
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(element);
    dark.addEventListener('change', () => this.#plot.redraw());
  }

  /** Adds a value of each line, for now. */
  add(...values) {
    const now = performance.now() / 1000;
    this.#data[0].push(now);
    values.forEach((value, i) => {
      this.#data[i + 1].push(value);
    });
    while (this.#data[0][0] < now - seconds) for (const line of this.#data) line.shift();
    this.#plot.setData(this.#data);
  }

  #range() {
    const now = performance.now() / 1000;
    return [Math.max(0, now - seconds), now];
  }

  #size() {
    return { width: this.#element.clientWidth, height: 170 };
  }
}
