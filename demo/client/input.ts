import { isUtf8 } from 'node:buffer';
import { type Message, WebSocketError } from '../../lib/webSocketHandler';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Yields each line as a message: also empty lines, and a last line without a line feed. Reads no more than can be sent. */
export async function* lines(input: AsyncIterable<Buffer>, { binary }: { binary: boolean }): AsyncGenerator<Message> {
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

/** Yields each message this many times in a row. */
export async function* repeated(messages: AsyncIterable<Message>, times: number): AsyncGenerator<Message> {
  for await (const message of messages) for (let i = 0; i < times; i++) yield message;
}
