import { webSocketAddress } from './common.js';
import { Connection } from './connection.js';
import { byId, element } from './display.js';
import './shell.js';

const { state, number, open, results, note, bars } = byId('state', 'number', 'open', 'results', 'note', 'bars');

// A connection over HTTP/2 that stays, as a page with WebSockets has one.
new Connection('/talk', state);

/** Resolves with the time of a handshake, and with what carries the WebSocket. */
function opened(socket) {
  const started = performance.now();
  let took;
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => {
      took = performance.now() - started;
    });
    socket.addEventListener('message', ({ data }) => resolve({ took, ...JSON.parse(data) }), { once: true });
    socket.addEventListener('close', () => reject(new Error(`A WebSocket to ${socket.url} was refused or lost.`)));
  });
}

/** Opens WebSockets one after another, for browsers delay handshakes if many are under way, and keeps them until all are open. */
async function measure(url, total) {
  const sockets = [];
  const measured = [];
  try {
    while (measured.length < total) {
      const socket = new WebSocket(url);
      sockets.push(socket);
      measured.push(await opened(socket));
    }
    return measured;
  } finally {
    for (const socket of sockets) socket.close(1000);
  }
}

const milliseconds = (value) => `${value.toFixed(1)} ms`;

function show(measured, longest) {
  const times = measured.map(({ took }) => took);
  const sorted = times.toSorted((a, b) => a - b);
  const total = times.reduce((sum, took) => sum + took, 0);
  const transports = [...new Set(measured.map(({ transport }) => ({ http1: 'HTTP/1.1', http2: 'HTTP/2' })[transport]))];
  const name = transports.join(' and ');
  const connections = new Set(measured.map(({ connection }) => connection)).size;
  const cells = [times.length, connections, milliseconds(sorted[sorted.length >> 1]), milliseconds(total)];
  results.append(
    element(
      'tr',
      {},
      element('td', {}, name),
      ...cells.map((text) => element('td', { className: 'number' }, String(text))),
    ),
  );
  const row = element('div', { className: 'bar-row', role: 'img', ariaLabel: `Times over ${name}, as in the table` });
  for (const time of times) {
    const bar = element('span');
    bar.style.height = `${Math.max(1, (time / longest) * 100)}%`;
    row.append(bar);
  }
  bars.append(element('p', { className: 'quiet' }, name), row);
}

open.addEventListener('click', async () => {
  open.disabled = true;
  try {
    const total = Math.min(200, Math.max(1, number.valueAsNumber || 1));
    const { http1Port } = await (await fetch('/http2/ports')).json();
    const http2 = await measure(webSocketAddress('/talk'), total);
    const http1 = await measure(`wss://${location.hostname}:${http1Port}/talk`, total);
    results.replaceChildren();
    bars.replaceChildren();
    const longest = Math.max(...[...http1, ...http2].map(({ took }) => took));
    show(http2, longest);
    show(http1, longest);
    note.textContent = 'Both have TLS. Over HTTP/2 it was negotiated once, with the connection of this page.';
  } catch (error) {
    note.textContent = `${error.message} Does your browser trust the certificate of both ports?`;
  } finally {
    open.disabled = false;
  }
});
