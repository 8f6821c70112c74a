import { element } from './display.js';

const tokens = new RegExp(
  [
    String.raw`(?<comment>/\*[^]*?\*/|//.*)`,
    String.raw`(?<string>'(?:\\.|[^'\\\n])*'|\x60(?:\\.|[^\x60\\])*\x60)`,
    String.raw`\b(?<keyword>async|await|break|case|catch|class|const|continue|default|else|export|extends|finally|for|from|function|if|import|in|interface|let|new|of|return|static|switch|throw|try|type|typeof|void|while|yield)\b`,
  ].join('|'),
  'g',
);

/** The nodes that show a program, with its comments, strings and keywords marked. */
function* highlight(program) {
  let end = 0;
  for (const { 0: text, index, groups } of program.matchAll(tokens)) {
    yield program.slice(end, index);
    yield element('span', { className: Object.keys(groups).find((kind) => groups[kind] !== undefined) }, text);
    end = index + text.length;
  }
  yield program.slice(end);
}

/**
 * Shows files of the folder `demo/`, which the server sends as they are on its disk: what is shown is what runs.
 * @param files their names, the first of which is shown at first
 */
export function showSource(files) {
  const code = element('code');
  const text = element('pre', { tabIndex: 0 }, code);
  const choice = element('div', { className: 'choice' });
  const show = async (file) => {
    for (const button of choice.children) button.setAttribute('aria-pressed', String(button.value === file));
    const response = await fetch(`/source/${file}`);
    const program = response.ok ? await response.text() : `${file}: ${response.status} ${response.statusText}`;
    text.setAttribute('aria-label', `Source of ${file}`);
    code.replaceChildren(...highlight(program));
  };
  for (const file of files) {
    const button = element('button', { type: 'button', value: file }, `demo/${file}`);
    button.addEventListener('click', () => show(file));
    choice.append(button);
  }
  show(files[0]);
  const section = element(
    'section',
    { className: 'source surface' },
    element('h2', {}, 'The code that runs'),
    choice,
    text,
  );
  return section;
}
