import { Connection } from './connection.js';
import { byId, size } from './display.js';
import { Plot } from './plot.js';
import './shell.js';
import { Pace, SlowSocket } from './slowSocket.js';

const { state, start, speed, speedText, note, ours, other, rate, queue, memory } = byId(
  ...['state', 'start', 'speed', 'speedText', 'note', 'ours', 'other', 'rate', 'queue', 'memory'],
);
/** KiB a second, by the position of the slider; no limit at its end. */
const speeds = [64, 256, 1024, 4096, Infinity];

const lines = [
  { label: 'this library', variable: '--accent' },
  { label: 'ws without backpressure', variable: '--bad' },
];
const plots = {
  rate: new Plot(rate, lines, (value) => `${size(value)}/s`),
  queue: new Plot(queue, lines, size),
  memory: new Plot(memory, lines, size),
};

/** One of the two servers: its figures, and a reader of what it sends. */
class Server {
  latest = { rate: 0, cut: 0, queue: 0, memory: 0 };
  #row;
  #before;
  #path;
  #pace = new Pace();
  #reader;

  constructor(row, path) {
    this.#row = row;
    this.#path = path;
  }

  show({ produced, cut, queue, memory }) {
    const at = performance.now();
    const rate = this.#before ? ((produced - this.#before.produced) / (at - this.#before.at)) * 1000 : 0;
    this.#before = { produced, at };
    this.latest = { rate, cut, queue, memory };
    const [, ...cells] = this.#row.cells;
    [`${size(Math.round(rate))}/s`, size(queue), size(memory)].forEach((text, i) => {
      cells[i].textContent = text;
    });
  }

  set speed(kibibytes) {
    this.#pace.perKibibyte = 1000 / kibibytes;
  }

  get isRead() {
    return this.#reader !== undefined;
  }

  read() {
    this.#reader = new SlowSocket(this.#path(), this.#pace);
  }

  stop() {
    this.#reader?.close();
    this.#reader = undefined;
  }
}

/** Undefined until the process of the other server has started: the first page that is opened starts it. */
let portOfTheOther;
/** Whether the user has started the readers. */
let isReading = false;
const otherAddress = (path) => `ws://${location.hostname}:${portOfTheOther}${path}`;
const servers = [
  new Server(ours, () => new URL('/backpressure', location.href).href.replace(/^http/, 'ws')),
  new Server(other, () => otherAddress('/')),
];
const [ourServer, otherServer] = servers;

let otherFigures;
const connection = new Connection('/backpressure/figures', state);
connection.addEventListener('message', ({ data }) => {
  const figures = JSON.parse(data);
  if (figures.portOfTheOther === undefined) {
    ourServer.show(figures);
    for (const [name, plot] of Object.entries(plots)) plot.add(...servers.map(({ latest }) => latest[name]));
    return;
  }
  portOfTheOther = figures.portOfTheOther;
  if (isReading) {
    note.textContent = '';
    otherServer.read();
  }
  otherFigures?.close();
  otherFigures = new Connection(otherAddress('/figures'));
  otherFigures.addEventListener('message', (event) => {
    const { cut } = otherServer.latest;
    otherServer.show(JSON.parse(event.data));
    if (otherServer.isRead && otherServer.latest.cut > cut) {
      note.textContent = 'ws: the demo has cut the connection, before the queue took all the memory of your machine.';
    }
  });
});
connection.addEventListener('close', () => {
  stop();
  // The next process may have another port.
  portOfTheOther = undefined;
});

function stop() {
  isReading = false;
  for (const server of servers) server.stop();
  start.textContent = 'Start reading';
}

start.addEventListener('click', () => {
  if (isReading) return stop();
  isReading = true;
  start.textContent = 'Stop reading';
  ourServer.read();
  note.textContent = portOfTheOther === undefined ? 'The server with ws is still starting.' : '';
  if (portOfTheOther !== undefined) otherServer.read();
});

speed.addEventListener('input', () => {
  const kibibytes = speeds[speed.value];
  for (const server of servers) server.speed = kibibytes;
  speedText.textContent = kibibytes === Infinity ? 'as fast as it can' : `${size(kibibytes * 1024)}/s`;
});
