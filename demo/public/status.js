import { explainClose } from './common.js';
import { Connection } from './connection.js';
import { byId, count, element, size } from './display.js';
import { Plot } from './plot.js';
import './shell.js';

const { state, figures, latency, codes } = byId('state', 'figures', 'latency', 'codes');
const milliseconds = (value) => `${value.toFixed(1)} ms`;
const plot = new Plot(
  latency,
  [
    { label: 'echo, p99', variable: '--accent' },
    { label: 'event loop, p99', variable: '--bad' },
    { label: 'ping', variable: '--good' },
  ],
  milliseconds,
);

/** Milliseconds of the latest echoes; one is under way at any time. */
let echoes = [];
let sentAt;
const echo = new Connection('/pipe');
const sendEcho = () => {
  sentAt = performance.now();
  echo.send('echo');
};
echo.addEventListener('open', sendEcho);
echo.addEventListener('message', () => {
  echoes = [...echoes.slice(-499), performance.now() - sentAt];
  setTimeout(sendEcho, 100);
});

function p99(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;
}

const connection = new Connection('/status', state);
connection.addEventListener('message', ({ data }) => {
  const { connections, counters, memory, waiting, loopDelay, roundTrip } = JSON.parse(data);
  const echoP99 = p99(echoes);
  const shown = {
    'open connections': count(connections, '', ''),
    'opened so far': count(counters.opened, '', ''),
    refused: count(counters.refused, '', ''),
    'messages received': count(counters.messagesReceived, '', ''),
    'messages sent': count(counters.messagesSent, '', ''),
    received: size(counters.bytesReceived),
    sent: size(counters.bytesSent),
    'waiting to be sent': size(waiting),
    'memory of the process': size(memory),
    'echo, p99 of 500': milliseconds(echoP99),
    'event loop delay, p99': milliseconds(loopDelay),
    'ping to this page': milliseconds(roundTrip),
  };
  figures.replaceChildren(
    ...Object.entries(shown).map(([name, value]) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, value.trim())),
    ),
  );
  codes.replaceChildren(
    ...Object.entries(counters.closed).map(([code, number]) =>
      element(
        'tr',
        {},
        element('td', {}, code),
        element('td', {}, explainClose(Number(code), '').replace(/^\d+, /, '')),
        element('td', { className: 'number' }, String(number)),
      ),
    ),
  );
  plot.add(echoP99, loopDelay, roundTrip);
});
