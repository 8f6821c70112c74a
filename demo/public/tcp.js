import { explainClose, webSocketAddress } from './common.js';
import { byId, count } from './display.js';
import './shell.js';

const { state, composer, request, answer } = byId('state', 'composer', 'request', 'answer');
const enough = 4000;

function show(phase, text) {
  state.className = `state ${phase}`;
  state.textContent = text;
}

// Each request has a connection: the end of one is the end of the other.
composer.addEventListener('submit', (event) => {
  event.preventDefault();
  const socket = new WebSocket(webSocketAddress('/tcp'));
  let received = '';
  let characters = 0;
  show('connecting', 'connecting…');
  socket.addEventListener('open', () => {
    show('open', 'connected');
    // HTTP ends its lines with CR LF (RFC 9112 §2.2).
    socket.send(request.value.replaceAll('\n', '\r\n'));
  });
  socket.addEventListener('message', ({ data }) => {
    characters += data.length;
    received = (received + data).slice(0, enough);
    answer.textContent = characters > enough ? `${received}… (${count(characters, 'character')})` : received;
  });
  socket.addEventListener('close', ({ code, reason, wasClean }) => {
    show(wasClean ? 'closed' : 'lost', `closed: ${explainClose(code, reason)}`);
  });
});
