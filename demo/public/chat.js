import { Connection } from './connection.js';
import { byId, count, describe, element } from './display.js';
import './shell.js';
import { Pace, SlowSocket } from './slowSocket.js';

const { state, name, slow, members, log, composer, message, burst } = byId(
  ...['state', 'name', 'slow', 'members', 'log', 'composer', 'message', 'burst'],
);
const kept = 100;

const animals = ['Badger', 'Crane', 'Dolphin', 'Hare', 'Lynx', 'Otter', 'Robin', 'Seal', 'Wren'];
name.value = sessionStorage.getItem('name') ?? animals[Math.floor(Math.random() * animals.length)];

/** The cursor of the last message. After a lost connection, the server goes on behind it. */
let last;

// A socket of a thread of its own, so that a reader can be slow without stopping the page.
const pace = new Pace();
const connection = new Connection(
  () => `/chat?${new URLSearchParams({ name: name.value, ...(last && { after: last }) })}`,
  state,
  (url) => new SlowSocket(url, pace),
);

function showMembers(all) {
  members.replaceChildren(
    ...all.map(({ name, catchingUp, ...counts }) =>
      element(
        'tr',
        {},
        element('td', {}, name),
        ...['sent', 'waiting'].map((each) =>
          element('td', { className: 'number' }, count(counts[each] ?? 0, '', '').trim()),
        ),
        element('td', {}, catchingUp ? 'history' : 'live'),
      ),
    ),
  );
}

function showMessage({ from, text, at }) {
  const isOurs = from === name.value;
  log.append(
    element(
      'p',
      { className: isOurs ? 'sent' : 'received' },
      element('span', { className: 'from' }, `${from}, ${new Date(at).toLocaleTimeString()}`),
      element('span', { className: 'text' }, describe(text)),
    ),
  );
  while (log.children.length > kept) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
}

connection.addEventListener('message', ({ data }) => {
  const event = JSON.parse(data);
  if (event.members) showMembers(event.members);
  else if (event.lost) log.append(element('p', { className: 'received' }, 'Some messages are not there any more.'));
  else {
    last = event.id;
    showMessage(event);
  }
});

name.addEventListener('change', () => {
  sessionStorage.setItem('name', name.value);
  connection.reconnect();
});
slow.addEventListener('change', () => {
  pace.perMessage = slow.checked ? 1000 : 0;
});
composer.addEventListener('submit', (event) => {
  event.preventDefault();
  if (message.value !== '' && connection.send(message.value)) message.value = '';
});
burst.addEventListener('click', () => {
  const filling = '. '.repeat(8000);
  for (let i = 1; i <= 1000; i++) connection.send(`${i} of a burst ${filling}`);
});
