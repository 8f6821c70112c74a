import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { isSendableCloseCode } from '../lib/closeCodes';
import { errorTable, WebSocketError, type WebSocketErrorCode } from '../lib/errors';

const codes = Object.keys(errorTable) as WebSocketErrorCode[];
const kinds: Record<string, { readonly closeCode?: number; readonly sentence: string }> = errorTable;
const closeCodeOf = (code: WebSocketErrorCode) => kinds[code]?.closeCode;

/** The close code that belongs to an error, as the documentation writes it. */
function documentedCloseCode(code: WebSocketErrorCode): string {
  return String(closeCodeOf(code) ?? '\u2013');
}

interface Row {
  readonly code: string;
  readonly closeCode: string;
  readonly when: string;
  readonly whatToDo: string;
}

/** The rows of all the tables in a Markdown text that have an error code in their first cell. */
function readRows(markdown: string): Row[] {
  return markdown
    .split('\n')
    .filter((line) => /^\|\s*`?WS_ERR_/.test(line))
    .map((line) => {
      const [code = '', closeCode = '', when = '', whatToDo = '', ...more] = line
        .replace(/^\||\|\s*$/g, '')
        .split('|')
        .map((cell) => cell.trim());
      if (more.length > 0) throw new Error(`A row with more than four cells: ${line}`);
      return { code: code.replaceAll('`', ''), closeCode, when, whatToDo };
    });
}

describe('docs/errors.md', () => {
  let rows: Row[];

  before(() => {
    rows = readRows(readFileSync(join(__dirname, '../docs/errors.md'), 'utf8'));
  });

  it('explains every error code, in the order of lib/errors.ts, and no other', () => {
    expect(rows.map(({ code }) => code)).to.deep.equal(codes);
  });

  for (const code of codes) {
    it(`explains ${code} with its close code and its sentence, and says what to do`, () => {
      const row = rows.find((each) => each.code === code);
      expect(row?.closeCode).to.equal(documentedCloseCode(code));
      expect(
        row?.when.startsWith(`${errorTable[code].sentence}.`),
        `the sentence, then more, in: ${row?.when}`,
      ).to.equal(true);
      expect(row?.whatToDo).to.match(/\w+ \w+.*\.$/);
    });
  }
});

describe('errorTable', () => {
  it('has close codes that can be sent to the peer, or 1006 for a lost connection', () => {
    for (const code of codes) {
      const closeCode = closeCodeOf(code);
      expect(closeCode === undefined || closeCode === 1006 || isSendableCloseCode(closeCode), code).to.equal(true);
    }
  });

  it('has a sentence of its own for each code, to which a detail can be added', () => {
    const sentences = codes.map((code) => errorTable[code].sentence);
    expect(new Set(sentences).size).to.equal(sentences.length);
    for (const sentence of sentences) expect(sentence).to.match(/^(?:[A-Z]|connect\(\)).*\w$/);
  });
});

describe('WebSocketError', () => {
  it('is an Error with the code and the close code of the table', () => {
    const error = new WebSocketError('WS_ERR_MESSAGE_TOO_BIG');
    expect(error).to.be.an.instanceOf(Error);
    expect(error.name).to.equal('WebSocketError');
    expect([error.code, error.closeCode]).to.deep.equal(['WS_ERR_MESSAGE_TOO_BIG', 1009]);
    expect([error.statusCode, error.headers, error.cause]).to.deep.equal([undefined, undefined, undefined]);
    expect(error.message).to.equal('A message exceeds maxMessageSize');
  });

  it('adds a detail after the sentence', () => {
    const error = new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', '6 bytes are more than 5');
    expect(error.message).to.equal('A message exceeds maxMessageSize: 6 bytes are more than 5');
  });

  it('has the close code that the peer sent', () => {
    expect(new WebSocketError('WS_ERR_CLOSED_BY_PEER', 'close code 4000', { closeCode: 4000 }).closeCode).to.equal(
      4000,
    );
  });

  it('has the response to a refused handshake', () => {
    const headers = { 'Retry-After': '1' };
    const error = new WebSocketError('WS_ERR_SHUTTING_DOWN', undefined, { statusCode: 503, headers });
    expect([error.statusCode, error.headers]).to.deep.equal([503, headers]);
  });

  it('has the name AbortError if the program aborted, with code and cause', () => {
    const reason = new Error('enough');
    const error = new WebSocketError('WS_ERR_ABORTED', undefined, { cause: reason });
    expect(error).to.include({ name: 'AbortError', code: 'WS_ERR_ABORTED', cause: reason });
    expect(error).to.be.an.instanceOf(WebSocketError);
    expect(inspect(error)).to.match(/^[^\n]*AbortError[^\n]*The connection was aborted\n/);
  });

  it('shows only the properties that it was given when it is printed', () => {
    expect(Object.keys(new WebSocketError('WS_ERR_NOT_OPEN'))).to.deep.equal(['code']);
    expect(inspect(new WebSocketError('WS_ERR_NOT_OPEN'))).to.not.match(/undefined|statusCode|headers|body|name:/);
    expect(inspect(new WebSocketError('WS_ERR_NOT_OPEN'))).to.match(/^WebSocketError: The connection is not open\n/);
    const refused = new WebSocketError('WS_ERR_HANDSHAKE_REFUSED', '401', { statusCode: 401, headers: {} });
    expect(Object.keys(refused)).to.deep.equal(['code', 'closeCode', 'statusCode', 'headers']);
  });

  it('keeps its cause', () => {
    const cause = new Error('read ECONNRESET');
    expect(new WebSocketError('WS_ERR_CONNECTION_LOST', undefined, { cause }).cause).to.equal(cause);
    expect(new WebSocketError('WS_ERR_CONNECTION_LOST')).to.not.have.property('cause');
  });

  it('has its name and its origin in the stack trace', () => {
    const { stack } = new WebSocketError('WS_ERR_NOT_OPEN');
    expect(stack).to.include('The connection is not open').and.to.include('errors.spec');
  });

  it('has no stack if the peer has ended the connection, and leaves the stacks of other errors as they were', () => {
    const { stack } = new WebSocketError('WS_ERR_CONNECTION_LOST', 'read ECONNRESET');
    expect(stack).to.equal('WebSocketError: The connection ended without a Close frame: read ECONNRESET');
    expect(new Error('another').stack).to.include('errors.spec');
  });

  it('can be made where the intrinsics are frozen', () => {
    const code = `const { WebSocketError } = require('./lib/errors.ts'); console.log(new WebSocketError('WS_ERR_CONNECTION_LOST').code)`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--frozen-intrinsics', '--no-warnings', '-r', 'ts-node/register', '-e', code],
      { encoding: 'utf8' },
    );
    expect(stderr).to.equal('');
    expect(stdout).to.equal('WS_ERR_CONNECTION_LOST\n');
  });
});
