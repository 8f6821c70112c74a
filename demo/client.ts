#!/usr/bin/env node
import { constants } from 'node:os';
import { Readable, Writable } from 'node:stream';
import { connect, type Message } from '../lib/webSocketHandler';
import { lines, repeated } from './client/input';
import { indented } from './client/json';
import { describeClose, describeError, describeOpening } from './client/notes';
import { type CommandLine, isUsageError, parseCommandLine } from './client/options';
import { sendPings } from './client/pings';
import { dye, type Print, Prompt, presentable, visible } from './client/terminal';

const { stdin, stdout, stderr } = process;

/** Pipes the lines of the input into a WebSocket, and its messages to the output. */
function talk({ url, binary, repeat, json, close, ping, deflate, options }: CommandLine): void {
  const ws = connect(url, options);
  const prompt = stdin.isTTY && stdout.isTTY ? new Prompt(() => interrupt('SIGINT')) : undefined;
  const print: Print = prompt?.printAbove ?? ((stream, text, done) => void stream.write(text, done));
  const note = (text: string) => print(stderr, `${dye(stderr, 'grey', visible(text))}\n`);

  const input = Readable.from(repeated(lines(prompt?.input() ?? stdin, { binary }), repeat));
  const output = new Writable({
    objectMode: true,
    write(message: Message, _encoding, done) {
      const shown = json && typeof message === 'string' ? indented(message) : message;
      print(stdout, presentable(shown, stdout), () => done());
    },
  });

  // The input waits until the connection is open. When the input ends, the pipe ends the WebSocket, unless --no-close: Close 1000.
  input.pipe(ws, { end: close });
  // Left open for the note about the Close, which is printed after the last message.
  ws.pipe(output, { end: false });

  let isOpen = false;
  ws.once('open', () => {
    isOpen = true;
    note(describeOpening(ws));
    if (deflate && ws.extensions === '') note('the server has not agreed to compression');
    if (ping !== undefined) void sendPings(ws, ping, (time) => note(`pong after ${time.toFixed(1)} ms`));
  });

  // Most servers send nothing more once they have received a Close frame: what was received may be less than they had.
  let closedFirst = false;
  input.once('end', () => {
    closedFirst = close && !ws.readableEnded;
  });

  // The server has closed: do not wait for the end of the input.
  ws.once('end', () => {
    input.unpipe(ws);
    ws.end();
  });

  ws.on('error', (error) => {
    process.exitCode ??= isUsageError(error) ? 2 : isOpen ? 1 : 3;
    note(describeError(error));
    // A message that the version cannot carry is an error that leaves the connection open: end it.
    ws.destroy();
  });

  ws.once('close', () => {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    prompt?.close();
    input.destroy();
    stdin.destroy();
    output.end(() => {
      const { closeCode = 1006, closeReason = '' } = ws;
      if (closeCode !== 1006) note(describeClose(closeCode, closeReason));
      // A connection that was never open has no download to be cut short.
      if (closedFirst && isOpen)
        note('the input ended before the server closed, which may have had more to send: see --no-close');
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
  stdout.once('error', ({ code }: NodeJS.ErrnoException) => {
    // The program that reads the output, `head` for example, has ended.
    if (code === 'EPIPE') note('the reader of the output has ended');
  });
  stdout.on('error', leave);
}

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
