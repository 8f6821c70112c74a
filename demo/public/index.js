import { Connection } from './connection.js';
import { byId, element } from './display.js';
import { pages } from './pages.js';
import './shell.js';

const { demos, state } = byId('demos', 'state');

for (const { title, href, proof } of pages) {
  demos.append(
    element('li', { className: 'surface' }, element('h2', {}, element('a', { href }, title)), element('p', {}, proof)),
  );
}

// Shows whether the server runs.
new Connection('/std', state);
