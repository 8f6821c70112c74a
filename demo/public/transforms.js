import { Connection } from './connection.js';
import { byId, count, describe, element, size } from './display.js';
import './shell.js';

const { steps, chain, state, composer, message, many, summary, results } = byId(
  ...['steps', 'chain', 'state', 'composer', 'message', 'many', 'summary', 'results'],
);
const names = { json: 'only JSON', upper: 'upper case', reverse: 'reverse', gzip: 'gzip' };
const kept = 50;

/** The stations of the chain by step: what each has done so far. */
let stations;
/** The messages that were sent together: how many, how many have ended, and since when. */
let batch;

const chosen = () => [...steps.querySelectorAll(':checked')].map(({ value }) => value);

function station(name) {
  const figures = element('span', { className: 'quiet' }, '\u00a0');
  const item = element('li', {}, element('strong', {}, name), figures);
  return { item, figures, messages: 0, took: 0 };
}

function drawChain() {
  stations = new Map(chosen().map((step) => [step, station(names[step])]));
  const items = [...stations.values()].map(({ item }) => item);
  chain.replaceChildren(station('browser').item, ...items, station('browser').item);
}

/** Lights a station for a moment, again with each message. */
function light({ item }) {
  item.classList.remove('lit');
  void item.offsetWidth;
  item.classList.add('lit');
}

function showReport({ step, took, before, after }) {
  const reported = stations.get(step);
  reported.messages++;
  reported.took += took;
  const mean = (reported.took / reported.messages) * 1000;
  const sizes = after === undefined ? 'dropped' : before === after ? size(after) : `${size(before)} → ${size(after)}`;
  reported.figures.textContent = `${sizes}, ${mean.toFixed(0)} µs`;
  if (batch.total === 1) light(reported);
  if (after === undefined) finishOne('Dropped on the way.');
}

function finishOne(text) {
  batch.ended++;
  if (batch.ended > batch.total - kept) {
    results.append(element('p', {}, text));
    while (results.children.length > kept) results.firstChild.remove();
    results.scrollTop = results.scrollHeight;
  }
  if (batch.ended < batch.total) return;
  const took = performance.now() - batch.started;
  summary.textContent = `${count(batch.total, 'message')} there and back in ${took.toFixed(1)} ms`;
}

function send(total) {
  batch = { total, ended: 0, started: performance.now() };
  light({ item: chain.firstChild });
  for (let i = 0; i < total; i++) connection.send(message.value);
}

drawChain();
const connection = new Connection(
  () =>
    `/transforms?${chosen()
      .map((step) => `step=${step}`)
      .join('&')}`,
  state,
);

connection.addEventListener('message', ({ data }) => {
  if (typeof data !== 'string') return finishOne(describe(data));
  const { result, ...report } = JSON.parse(data);
  if (result === undefined) return showReport(report);
  light({ item: chain.lastChild });
  finishOne(describe(result));
});

// Another chain is another pipeline, on a connection of its own.
steps.addEventListener('change', () => {
  drawChain();
  connection.reconnect();
});
composer.addEventListener('submit', (event) => {
  event.preventDefault();
  if (connection.isOpen) send(1);
});
many.addEventListener('click', () => connection.isOpen && send(1000));
connection.addEventListener('open', () => send(1), { once: true });
