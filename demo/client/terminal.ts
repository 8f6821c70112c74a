import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline';
import type { Message } from '../../lib/webSocketHandler';

type Output = NodeJS.WriteStream;

/** Writes text or bytes to a stream. `done` is called when they have been written. */
export type Print = (stream: Output, text: string | Buffer, done?: () => void) => void;

/** The line at the bottom of a terminal where a person types. Text that is printed meanwhile is put above it. */
export class Prompt {
  readonly #readline = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
  #isOpen = true;

  constructor(interrupted: () => void) {
    this.#readline.on('SIGINT', interrupted);
    this.#readline.on('line', () => this.#readline.prompt());
    this.#readline.on('close', () => {
      this.#isOpen = false;
      this.#erase();
    });
    this.#readline.prompt();
  }

  /** Yields the lines that were typed, up to Ctrl-D. */
  async *input(): AsyncGenerator<Buffer> {
    for await (const line of this.#readline) yield Buffer.from(`${line}\n`);
  }

  readonly printAbove: Print = (stream, text, done) => {
    if (!this.#isOpen) return void stream.write(text, done);
    const rows = this.#erase();
    stream.write(text, done);
    // readline moves up by the rows that the prompt had before it was erased: put them there.
    process.stdout.write('\n'.repeat(rows));
    this.#readline.prompt(true);
  };

  close(): void {
    this.#readline.close();
  }

  /** Erases the prompt. Returns how many rows the cursor was below the first row of it. */
  #erase(): number {
    const { rows } = this.#readline.getCursorPos();
    moveCursor(process.stdout, 0, -rows);
    cursorTo(process.stdout, 0);
    clearScreenDown(process.stdout);
    return rows;
  }
}

/** Returns a message for people if the stream is a terminal, and as it is for other programs if not. */
export function presentable(message: Message, stream: Output): string | Buffer {
  if (!stream.isTTY) return typeof message === 'string' ? `${message}\n` : message;
  const text = typeof message === 'string' ? message : hexDump(message);
  return `${dye(stream, 'cyan', `< ${visible(text)}`)}\n`;
}

const dyes = { grey: 90, cyan: 36 } as const;

/** Adds a colour on a terminal that has colours. `hasColors()` respects NO_COLOR. */
export function dye(stream: Output, colour: keyof typeof dyes, text: string): string {
  return stream.isTTY && stream.hasColors() ? `\x1b[${dyes[colour]}m${text}\x1b[39m` : text;
}

/** Control characters, and those that change the direction of text, without tabs and line feeds. */
const commands = /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Returns text from the server with its control characters escaped: an escape sequence could change what was printed before, or type
 * into the terminal. Lines after the first are indented, so that none looks like a line of this program.
 */
export function visible(text: string): string {
  const coded = (command: string) => {
    const code = command.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  };
  return text.replaceAll('\r\n', '\n').replace(commands, coded).replaceAll('\n', '\n  ');
}

const bytesInRow = 16;
const mostRows = 32;

function hexDump(bytes: Buffer): string {
  const shown = bytes.subarray(0, mostRows * bytesInRow);
  const rows = [`${bytes.length} bytes`];
  for (let start = 0; start < shown.length; start += bytesInRow) {
    const row = shown.subarray(start, start + bytesInRow);
    const hex = row.toString('hex').replace(/..(?!$)/g, '$& ');
    rows.push(`${hex.padEnd(3 * bytesInRow)} ${row.toString('latin1').replace(/[^ -~]/g, '.')}`);
  }
  if (shown.length < bytes.length) rows.push('…');
  return rows.join('\n');
}
