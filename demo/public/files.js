import { webSocketAddress } from './common.js';
import { Connection } from './connection.js';
import { crc32 } from './crc32.js';
import { byId, count, size } from './display.js';
import { Plot } from './plot.js';
import './shell.js';

const { state, drop, file, sample, name, progress, percent, pause, cancel, save, verdict, memory, memoryText } = byId(
  ...[
    'state',
    'drop',
    'file',
    'sample',
    'name',
    'progress',
    'percent',
    'pause',
    'cancel',
    'save',
    'verdict',
    'memory',
    'memoryText',
  ],
);
const rows = byId('before', 'server', 'after');
const plot = new Plot(memory, [{ label: 'memory of the server', variable: '--accent' }], size);

const id = crypto.randomUUID();
const control = new Connection(`/files/control?id=${id}`, state);
/** The file that is on its way, its checksum, and the WebSocket that it is on. */
let transfer;

function show(row, bytes, checksum) {
  const [, length, crc] = row.cells;
  length.textContent = bytes === undefined ? '' : count(bytes, 'byte');
  crc.textContent = checksum === undefined ? '' : checksum.toString(16).padStart(8, '0');
}

function showProgress(fraction) {
  progress.value = fraction;
  percent.textContent = `${Math.floor(fraction * 100)} %`;
}

control.addEventListener('message', ({ data }) => {
  const figures = JSON.parse(data);
  memoryText.textContent = size(figures.memory);
  plot.add(figures.memory);
  if (!transfer) return;
  showProgress(transfer.file.size === 0 ? 1 : figures.received / transfer.file.size);
  const isComplete = figures.received === transfer.file.size;
  show(rows.server, figures.received, isComplete ? figures.checksum : undefined);
  transfer.onServer(isComplete ? figures.checksum : undefined);
});

/** A promise of the server's checksum of the whole file, as the progress tells it. */
function checksumOfServer(started) {
  return new Promise((resolve) => {
    started.onServer = (checksum) => checksum !== undefined && resolve(checksum);
  });
}

async function start(blob, title) {
  transfer?.socket.close();
  name.textContent = `${title}, ${size(blob.size)}`;
  verdict.textContent = '';
  save.hidden = true;
  for (const row of Object.values(rows)) show(row);
  showProgress(0);
  const socket = new WebSocket(webSocketAddress(`/files?id=${id}`));
  const started = { file: blob, socket };
  const onServer = checksumOfServer(started);
  transfer = started;
  setPaused(false);
  pause.disabled = cancel.disabled = false;

  socket.addEventListener('open', () => socket.send(blob));
  socket.addEventListener('close', () => {
    if (transfer !== started) return;
    finish();
    verdict.textContent = 'The transfer was cut short.';
  });
  socket.addEventListener('message', async ({ data }) => {
    const [before, server, after] = await Promise.all([crc32(blob), onServer, crc32(data)]);
    if (transfer !== started) return;
    finish();
    socket.close(1000);
    show(rows.before, blob.size, before);
    show(rows.after, data.size, after);
    const isSame = before === server && before === after;
    verdict.textContent = isSame ? 'The file came back as it was sent.' : 'The file came back damaged.';
    URL.revokeObjectURL(save.href);
    Object.assign(save, { href: URL.createObjectURL(data), download: title, hidden: false });
  });
}

function finish() {
  transfer = undefined;
  pause.disabled = cancel.disabled = true;
}

function setPaused(isPaused) {
  control.send(isPaused ? 'pause' : 'resume');
  pause.textContent = isPaused ? 'Resume' : 'Pause';
}

pause.addEventListener('click', () => setPaused(pause.textContent === 'Pause'));
cancel.addEventListener('click', () => {
  // To close an open WebSocket, a browser first sends all of the message. The server can drop it at once.
  if (transfer.socket.readyState === WebSocket.OPEN) control.send('cancel');
  else transfer.socket.close();
});
// The next file can be the same one.
file.addEventListener('click', () => {
  file.value = '';
});
file.addEventListener('change', () => file.files[0] && start(file.files[0], file.files[0].name));
sample.addEventListener('click', () => {
  const noise = crypto.getRandomValues(new Uint8Array(65_536));
  start(new Blob(Array(1600).fill(noise)), 'noise.bin');
});
drop.addEventListener('dragover', (event) => event.preventDefault());
drop.addEventListener('drop', (event) => {
  event.preventDefault();
  const [dropped] = event.dataTransfer.files;
  if (dropped) start(dropped, dropped.name);
});
