/** Creates an element with properties and children; strings become text, never markup. */
export function element(name, properties = {}, ...children) {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
}

/** Lets the keyboard reach what scrolls: not every browser focuses such an area by itself (WCAG 2.1.1). */
export function makeScrollable(...areas) {
  for (const area of areas) area.tabIndex = 0;
}

/** The elements of the page with these ids. */
export function byId(...ids) {
  return Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
}

const number = new Intl.NumberFormat('en');

export function count(value, singular, plural = `${singular}s`) {
  return `${number.format(value)} ${value === 1 ? singular : plural}`;
}

/** A number of bytes with three digits and a binary unit. */
export function size(bytes) {
  if (bytes < 1024) return count(bytes, 'byte');
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toPrecision(3).replace(/e\+3$/, '')} ${['', 'KiB', 'MiB', 'GiB'][power]}`;
}

const enough = { characters: 400, bytes: 16 };

/** Text as it is shown: cut, with its length, if it is long. */
export function describeText(text) {
  if (text.length <= enough.characters) return text;
  return `${text.slice(0, enough.characters)}… (${count(text.length, 'character')})`;
}

/** Bytes as they are shown: their number and the first of them. */
export function describeBytes(buffer) {
  const bytes = new Uint8Array(buffer);
  const first = [...bytes.subarray(0, enough.bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  if (first === '') return size(0);
  return `${size(bytes.length)}: ${first}${bytes.length > enough.bytes ? ' …' : ''}`;
}

/** A message, text or an ArrayBuffer, as it is shown. */
export function describe(message) {
  return typeof message === 'string' ? describeText(message) : describeBytes(message);
}
