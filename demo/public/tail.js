import { webSocketAddress } from './common.js';
import { Connection } from './connection.js';
import { byId, describe, element } from './display.js';
import './shell.js';

const { state, composer, filter, noise, lines } = byId('state', 'composer', 'filter', 'noise', 'lines');
const kept = 500;

const connection = new Connection(() => `/tail?filter=${encodeURIComponent(filter.value)}`, state);

// The server sends the log from its beginning.
connection.addEventListener('open', () => lines.replaceChildren());
connection.addEventListener('message', ({ data }) => {
  lines.append(element('p', {}, describe(data)));
  while (lines.children.length > kept) lines.firstChild.remove();
  lines.scrollTop = lines.scrollHeight;
});

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  connection.reconnect();
});
noise.addEventListener('click', () => {
  const socket = new WebSocket(webSocketAddress('/pipe'));
  socket.addEventListener('open', () => {
    for (let i = 0; i < 3; i++) socket.send('An entry of the log');
    socket.close(1000);
  });
});
