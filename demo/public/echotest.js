import { explainClose, greeting, webSocketAddress } from './common.js';
import { describe, makeScrollable } from './display.js';

const [state, message, send, log, close, reconnect] = ['state', 'message', 'send', 'log', 'close', 'reconnect'].map(
  (id) => document.getElementById(id),
);

// The Connect demo echoes at /echoserver; ?endpoint=/pipe tries another one of the same server.
const address = webSocketAddress(new URLSearchParams(location.search).get('endpoint') ?? '/echoserver');
document.getElementById('address').textContent = address;
makeScrollable(log);

let webSocket;

function connect() {
  show('connecting', 'connecting…');
  webSocket = new WebSocket(address);
  webSocket.binaryType = 'arraybuffer';

  webSocket.addEventListener('open', () => {
    show('open', 'open');
    write('note', 'Connected');
    say(greeting);
  });

  webSocket.addEventListener('message', ({ data }) => write('received', describe(data), 'Server'));

  webSocket.addEventListener('close', ({ code, reason, wasClean }) => {
    show(wasClean ? 'closed' : 'lost', `closed: ${explainClose(code, reason)}`);
    write('note', `Closed with ${explainClose(code, reason)}`);
  });
}

function say(text) {
  webSocket.send(text);
  write('sent', describe(text), 'You');
}

function show(phase, text) {
  state.className = `state ${phase}`;
  state.textContent = text;
  const isOpen = phase === 'open';
  send.disabled = !isOpen;
  close.disabled = !isOpen;
  reconnect.disabled = isOpen || phase === 'connecting';
}

function write(kind, text, from) {
  const line = document.createElement('p');
  line.className = kind;
  if (from !== undefined) line.append(part('from', from));
  line.append(part('text', text));
  log.append(line);
  log.scrollTop = log.scrollHeight;
}

function part(kind, text) {
  const element = document.createElement('span');
  element.className = kind;
  element.textContent = text;
  return element;
}

document.getElementById('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  // Return in the text field submits as well, whatever the state.
  if (webSocket.readyState !== WebSocket.OPEN) return;
  say(message.value);
  message.value = '';
  message.focus();
});

close.addEventListener('click', () => webSocket.close(1000));
reconnect.addEventListener('click', connect);

connect();
