/**
 * `npm run docs:tables`: writes the tables of options, errors and versions in docs/ from the source. A page has a table between
 * `<!-- table: NAME -->` and `<!-- /table -->`. `spec/docs.spec.ts` fails if a page differs from what this writes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { errorTable } from '../lib/errors';
import { connectionOptionNames } from '../lib/options';
import { rules, settingRules } from '../lib/options/rules';
import { findProtocolVersion, knownVersions } from '../lib/versions';

const root = join(__dirname, '..');

type Cells = readonly string[];

const row = (cells: Cells) => `| ${cells.join(' | ')} |`;

/** A table in Markdown. A `|` inside of a cell would end it. */
function table(head: Cells, rows: readonly Cells[]): string {
  const escaped = rows.map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  return [row(head), `|${head.map(() => '---|').join('')}`, ...escaped.map(row)].join('\n');
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
}

/** The text of a docstring: the paragraphs before its first tag, each on one line. */
function docstring(node: ts.Node): readonly string[] {
  const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const text = ts.getTextOfJSDocComment(doc?.comment) ?? '';
  return text.split(/\n\s*\n/).map((paragraph) => paragraph.replaceAll(/\s*\n\s*/g, ' ').trim());
}

interface Member {
  readonly name: string;
  readonly text: string;
}

/** The members of an interface with their docstrings, without those of the interfaces that it extends. */
function membersOf(file: string, name: string): readonly Member[] {
  const found = parse(file).statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === name);
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  return (found as ts.InterfaceDeclaration).members.map((member) => {
    const text = docstring(member).join(' ');
    const memberName = member.name?.getText() ?? '';
    if (text === '') throw new Error(`${name}.${memberName} in ${file} has no docstring`);
    return { name: memberName, text };
  });
}

/** Where the pages say more about an option. The links are relative to docs/. */
const more: Readonly<Record<string, string>> = {
  allowHalfOpen: '[half-close](api.md#half-close)',
  heartbeat: '[readers that pause](api.md#readers-that-pause), [HTTP/2](http2.md#peers-that-are-gone)',
  http2: '[HTTP/2](http2.md#clients)',
  filter: '[other WebSocket servers](api.md#beside-other-websocket-servers)',
  highWaterMark: '[backpressure](api.md#backpressure)',
  maxBufferedAmount: '[peers that do not read](api.md#peers-that-do-not-read)',
  maxConnections: '[greedy clients](api.md#greedy-clients)',
  maxConnectionsPerAddress: '[greedy clients](api.md#greedy-clients)',
  maxLifetime: '[greedy clients](api.md#greedy-clients)',
  maxMessageRate: '[greedy clients](api.md#greedy-clients)',
  memoryBudget: '[greedy clients](api.md#greedy-clients)',
  messages: '[one message as a stream](api.md#one-message-as-a-stream)',
  origins: '[origins](api.md#origins)',
  perMessageDeflate: '[compression](api.md#compression)',
  readableHighWaterMark: '[backpressure](api.md#backpressure)',
  sendTimeout: '[peers that do not read](api.md#peers-that-do-not-read)',
  version: '[versions](api.md#versions)',
  versions: '[versions](api.md#versions)',
  writableHighWaterMark: '[backpressure](api.md#backpressure)',
};

/** The accepted values of an option, as its error message names them. */
function accepted(name: string, setting: string | undefined): string {
  const rule =
    setting === undefined ? rules[name as keyof typeof rules] : settingRules[setting as keyof typeof rules]?.[name];
  if (rule === undefined) throw new Error(`The option ${name} has no rule`);
  return asCode(rule[0].replace(/ from (\d) to 2147483647/, ', $1 or more'));
}

/** Marks codes of errors, and texts in quotes, as code. What is marked already stays as it is. */
function asCode(text: string): string {
  const parts = text.split(/(`[^`]*`|\[[^\]]*\]\([^)]*\))/);
  return parts
    .map((part, i) =>
      i % 2 === 1 ? part : part.replaceAll(/(?<![\w])(?:WS_ERR_\w+|'[^'\s]+'|Infinity)(?!\w)/g, '`$&`'),
    )
    .join('');
}

/** The last words of a docstring that name the default, or an empty string; the sentences before them. */
function splitDefault(text: string): { readonly meaning: string; readonly initial: string } {
  const [, meaning = text, separator = '', initial = ''] = /^(.*?)\s*\bDefault(:?) (.*)\.$/s.exec(text) ?? [];
  // A default that takes a sentence of its own stays in the text.
  return separator === '' || initial.length < 40 ? { meaning, initial } : { meaning: text, initial: 'see right' };
}

/**
 * A table of options. The accepted values are those of lib/options/rules.ts; all else is in the docstrings.
 * @param setting the option whose settings these are
 */
function options(members: readonly Member[], setting?: string): string {
  const rows = members.map(({ name, text }) => {
    const { meaning, initial } = splitDefault(text);
    const mark = setting === undefined && marked.includes(name) ? ' ●' : '';
    const link = setting === undefined && more[name] !== undefined ? ` See ${more[name]}.` : '';
    return [`\`${name}\`${mark}`, accepted(name, setting), asCode(initial), asCode(meaning) + link];
  });
  return table(['option', 'takes', 'default', 'meaning'], rows);
}

const types = 'lib/options/types.ts';
let marked: readonly string[] = [];

function serverOptions(): string {
  marked = connectionOptionNames;
  try {
    const connection = membersOf(types, 'ConnectionOptions');
    const marks = membersOf(types, 'HighWaterMarkOptions');
    const extensions = membersOf('lib/contracts/extensions.ts', 'ExtensionOptions');
    return options([
      ...connection,
      ...marks,
      ...extensions,
      ...membersOf(types, 'UpgradeOptions'),
      ...membersOf(types, 'ServerLimits'),
    ]);
  } finally {
    marked = [];
  }
}

/** The texts of the errors: in lib/errors.ts, each has a docstring with what it means and, below, what to do. */
function errorTexts(): ReadonlyMap<string, readonly string[]> {
  const texts = new Map<string, readonly string[]>();
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && /^WS_ERR_/.test(node.name.getText())) {
      texts.set(node.name.getText(), docstring(node));
    }
    ts.forEachChild(node, visit);
  };
  visit(parse('lib/errors.ts'));
  return texts;
}

/** The errors from one code to another. */
function errors(first: string, last: string): string {
  const texts = errorTexts();
  const codes = Object.keys(errorTable) as (keyof typeof errorTable)[];
  const chosen = codes.slice(codes.indexOf(first as never), codes.indexOf(last as never) + 1);
  const rows = chosen.map((code) => {
    const kind: { readonly closeCode?: number; readonly sentence: string } = errorTable[code];
    const [details, action, ...others] = texts.get(code) ?? [];
    if (details === undefined || action === undefined || others.length > 0)
      throw new Error(`The docstring of ${code} must have two paragraphs: the details, and what to do`);
    return [`\`${code}\``, String(kind.closeCode ?? '–'), `${kind.sentence}. ${details}`, action];
  });
  return table(['code', 'close code', 'when', 'what to do'], rows);
}

const documents: Readonly<Record<string, string>> = {
  '13': 'RFC 6455',
  '8': 'hybi-08 to hybi-12',
  '7': 'hybi-07',
  draft03: 'hybi-01 to hybi-03',
  draft76: 'hixie-76, hybi-00',
  draft75: 'hixie-75',
};

function versions(): string {
  const yes = (value: boolean) => (value ? 'yes' : 'no');
  const rows = knownVersions.map((name) => {
    const wire = findProtocolVersion(name)?.wire;
    if (wire === undefined) throw new Error(`There is no version ${name}`);
    const { binary, fragments, ping, close, closeCode, extensions } = wire.capabilities;
    const features = [
      wire.byDefault,
      true,
      binary,
      fragments,
      ping,
      close,
      closeCode,
      extensions,
      wire.extendedConnect?.version === name,
    ];
    return [`\`'${name}'\``, documents[name] ?? '', ...features.map(yes)];
  });
  const features = [
    'text',
    'binary',
    'streamed messages',
    'pings',
    'Close frame',
    'close code',
    'compression',
    'HTTP/2',
  ];
  return table(['version', 'document', 'on by default', ...features], rows);
}

const tables: Readonly<Record<string, (...parameters: string[]) => string>> = {
  versions,
  errors,
  'server-options': serverOptions,
  'connect-options': () => options(membersOf(types, 'ConnectOptions')),
  'client-options': () => options(membersOf(types, 'OpeningOptions')),
  'retry-options': () => options(membersOf(types, 'RetryOptions')),
  'close-options': () => options(membersOf('lib/server/shutdown.ts', 'CloseOptions')),
  'broadcast-options': () => options(membersOf('lib/broadcast/broadcastStream.ts', 'BroadcastStreamOptions')),
  'compression-settings': () =>
    options(membersOf('lib/contracts/extensions.ts', 'PerMessageDeflateOptions'), 'perMessageDeflate'),
  'address-limit': () => options(membersOf(types, 'AddressLimit'), 'maxConnectionsPerAddress'),
  'heartbeat-settings': () => options(membersOf(types, 'HeartbeatOptions'), 'heartbeat'),
};

/** Replaces the tables of a page by those of the source. */
export function fillTables(markdown: string): string {
  return markdown.replaceAll(
    /(<!-- table: (\S+)((?: \S+)*) -->\n).*?(<!-- \/table -->)/gs,
    (_all, begin: string, name: string, parameters: string, end: string) => {
      const make = tables[name];
      if (make === undefined) throw new Error(`There is no table ${name}; there are ${Object.keys(tables).join(', ')}`);
      return `${begin}\n${make(...parameters.trim().split(' ')).trim()}\n\n${end}`;
    },
  );
}

/** Links of the tables are relative to docs/; on the page itself they need no name. */
export function fillPage(name: string, markdown: string): string {
  return fillTables(markdown).replaceAll(`](${name}#`, '](#');
}

if (require.main === module) {
  for (const name of readdirSync(join(root, 'docs')).filter((each) => each.endsWith('.md'))) {
    const path = join(root, 'docs', name);
    const markdown = readFileSync(path, 'utf8');
    const filled = fillPage(name, markdown);
    if (filled !== markdown) writeFileSync(path, filled);
  }
}
