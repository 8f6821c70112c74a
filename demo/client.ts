#!/usr/bin/env node
import { isUtf8 } from 'node:buffer';
import { constants } from 'node:os';
import { Readable, Writable } from 'node:stream';
import { connect, type Message, WebSocketError } from '../lib/webSocketHandler';
import { type CommandLine, isUsageError, parseCommandLine } from './clientOptions';
import { dye, type Print, Prompt, presentable, visible } from './clientTerminal';

const { stdin, stdout, stderr } = process;

/** Pipes the lines of the input into a WebSocket, and its messages to the output. */
function talk({ url, binary, options }: CommandLine): void {
  const ws = connect(url, options);
  const prompt = stdin.isTTY && stdout.isTTY ? new Prompt(() => interrupt('SIGINT')) : undefined;
  const print: Print = prompt?.printAbove ?? ((stream, text, done) => void stream.write(text, done));
  const note = (text: string) => print(stderr, `${dye(stderr, 'grey', visible(text))}\n`);

  const input = Readable.from(lines(prompt?.input() ?? stdin, { binary }));
  const output = new Writable({
    objectMode: true,
    write: (message: Message, _encoding, done) => print(stdout, presentable(message, stdout), () => done()),
  });

  // The input waits until the connection is open. When the input ends, the pipe ends the WebSocket: Close 1000.
  input.pipe(ws);
  // Left open for the note about the Close, which is printed after the last message.
  ws.pipe(output, { end: false });

  let isOpen = false;
  ws.once('open', () => {
    isOpen = true;
    const agreed = [`version ${ws.version}`, ws.protocol && `subprotocol ${ws.protocol}`, ws.extensions];
    note(`connected: ${agreed.filter((each) => each !== '').join(', ')}`);
  });

  // The server has closed: do not wait for the end of the input.
  ws.once('end', () => {
    input.unpipe(ws);
    ws.end();
  });

  ws.on('error', (error) => {
    process.exitCode ??= isUsageError(error) ? 2 : isOpen ? 1 : 3;
    note(describe(error));
    // A message that the version cannot carry is an error that leaves the connection open: end it.
    ws.destroy();
  });

  ws.once('close', () => {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    prompt?.close();
    input.destroy();
    stdin.destroy();
    output.end(() => {
      const { closeCode = 1006, closeReason } = ws;
      if (closeCode === 1006) return;
      const meaning = meanings[closeCode] ? ` (${meanings[closeCode]})` : '';
      note(`closed: ${closeCode}${meaning}${closeReason && `, ${closeReason}`}`);
    });
  });

  input.on('error', (error) => {
    // After the WebSocket was destroyed, the input is destroyed too: an error of it says nothing.
    if (ws.destroyed) return;
    process.exitCode ??= 1;
    ws.destroy(error);
  });

  // The first time sends Close 1001, the second time drops the connection.
  const leave = () => (ws.destroyed ? ws.abort() : ws.destroy());
  const interrupt = (signal: 'SIGINT' | 'SIGTERM') => {
    process.exitCode = 128 + constants.signals[signal];
    if (!ws.destroyed) note('closing; once more drops the connection');
    leave();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  // The program that reads the output, `head` for example, has ended.
  stdout.on('error', leave);
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Yields each line as a message: also empty lines, and a last line without a line feed. Reads no more than can be sent. */
async function* lines(input: AsyncIterable<Buffer>, { binary }: { binary: boolean }): AsyncGenerator<Message> {
  let begun: Buffer[] = [];
  const finish = (rest: Buffer) => {
    const line = Buffer.concat([...begun, rest]);
    begun = [];
    const message = line.at(-1) === carriageReturn ? line.subarray(0, -1) : line;
    if (binary) return message;
    if (isUtf8(message)) return message.toString();
    throw new WebSocketError('WS_ERR_INVALID_UTF8', 'a line of the input, which --binary could send');
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      yield finish(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) begun.push(chunk.subarray(start));
  }
  if (begun.length > 0) yield finish(Buffer.alloc(0));
}

/** Characters of a refusal's body that are printed. */
const enough = 500;

function describe(error: Error): string {
  if (!(error instanceof WebSocketError)) return error.message;
  const body = error.body?.toString().trim() ?? '';
  const more = body.length > enough ? `${body.slice(0, enough)}…` : body;
  return `${error.code}: ${error.message}${more && `\n${more}`}`;
}

/** The names of close codes (RFC 6455 §7.4.1, and IANA's registry). */
const meanings: Readonly<Record<number, string>> = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no code',
  1007: 'invalid payload',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
};

function main(): void {
  for (const stream of [stdout, stderr]) {
    stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') return;
      process.exitCode ??= 1;
      stderr.write(`${message}\n`);
    });
  }
  try {
    const commandLine = parseCommandLine(process.argv.slice(2));
    if (typeof commandLine === 'string') stdout.write(commandLine);
    else talk(commandLine);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    stderr.write(`node-websocket-handler: ${error.message}\nThe option --help tells what it takes.\n`);
    process.exitCode = 2;
  }
}

main();
