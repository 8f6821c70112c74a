import { element, makeScrollable } from './display.js';
import { documentation, pages } from './pages.js';
import { showSource } from './source.js';

/** What all pages have: the way to the other ones above, the source below or beside. */
function link({ title, href }) {
  const here = new URL(href, location.href).pathname === location.pathname;
  return element('li', {}, element('a', { href, ...(here ? { ariaCurrent: 'page' } : {}) }, title));
}

async function repository() {
  const response = await fetch('/package.json');
  const { homepage } = response.ok ? await response.json() : {};
  return homepage ? [{ title: 'Repository', href: homepage }] : [];
}

const main = document.querySelector('main');
main.id ||= 'main';
main.tabIndex = -1;
makeScrollable(...main.querySelectorAll('.scrolls, .output, #log, .demo pre'));

const more = element('ul', {}, ...documentation.map(link));
document.body.prepend(
  element('a', { className: 'skip', href: `#${main.id}` }, 'Skip to the demo'),
  element(
    'header',
    { className: 'top' },
    element(
      'a',
      { className: 'home', href: '/' },
      element('img', { className: 'logo', src: '/logo.svg', alt: '' }),
      'node-websocket-handler',
    ),
    element('nav', { ariaLabel: 'Demos' }, element('ul', {}, ...pages.map(link))),
    element('nav', { ariaLabel: 'Documentation', className: 'documentation' }, more),
  ),
);
const { sources } = document.body.dataset;
if (sources) main.append(showSource(sources.split(' ')));
more.append(...(await repository()).map(link));
