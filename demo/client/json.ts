/** The tokens of JSON, without white space: strings, punctuation, and numbers with the names of constants. */
const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * Returns JSON with one value on each line, or the text as it is if it is not JSON. The values stay as they were written:
 * `JSON.stringify(JSON.parse(text))` would round large numbers, and drop the first of two members with the same name.
 */
export function indented(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  let before = '';
  let result = '';
  const newLine = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(tokens)) {
    const closes = token === '}' || token === ']';
    const isEmpty = closes && (before === '{' || before === '[');
    if (closes) depth--;
    if (!isEmpty && (closes || before === '{' || before === '[' || before === ',')) result += newLine();
    result += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth++;
    before = token;
  }
  return result;
}
