import { once } from 'node:events';
import { Readable, Transform, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { Capabilities } from '../../lib/contracts';
import {
  type AnyWebSocket,
  type Message,
  type MessageStream,
  PreparedMessage,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { fork } from './seeds';
import { Dice } from './vectors';

const words = 'the quick brown fox jumps over the lazy dog. '.repeat(6000);
/** Characters of one to four bytes: ten bytes in all. */
const letters = 'aß世🌍';
const foreignWords = letters.repeat(25_000);
const noise = new Dice(1).bytes(300_000);

/** Around these lengths a header has another form, and a message is compressed in another way. */
const edges = [1, 4, 125, 126, 127, 128, 129, 4095, 4096, 16_383, 16_384, 32_767, 32_768, 65_535, 65_536];

/** Messages of 0 bytes to 200 KiB, which differ from one another wherever their sizes let them. */
export function randomMessages(dice: Dice, { binary }: Pick<Capabilities, 'binary'>): Message[] {
  const count = 1 + dice.roll(dice.pick([1, 5, 40]));
  return Array.from({ length: count }, (_, number) => {
    const size = randomSize(dice);
    return binary && dice.roll(2) === 0 ? randomBytes(dice, number, size) : randomText(dice, number, size);
  });
}

function randomSize(dice: Dice): number {
  const kind = dice.roll(40);
  if (kind < 6) return 0;
  if (kind < 12) return dice.pick(edges);
  if (kind < 32) return dice.roll(300);
  if (kind < 39) return dice.roll(20_000);
  return dice.roll(200 * 1024 + 1);
}

function randomBytes(dice: Dice, number: number, size: number): Buffer {
  const start = dice.roll(noise.length - size);
  const bytes = dice.roll(2) === 0 ? Buffer.from(noise.subarray(start, start + size)) : Buffer.alloc(size, words);
  if (size >= 4) bytes.writeUInt32BE(number);
  return bytes;
}

function randomText(dice: Dice, number: number, size: number): string {
  if (size < 4) return words.slice(0, size);
  const rest = size - 4;
  const body =
    dice.roll(2) === 0 ? words.slice(0, rest) : foreignWords.slice(0, letters.length * Math.floor(rest / 10));
  return String(number).padEnd(4) + body;
}

export const sizeOf = (messages: readonly Message[]) =>
  messages.reduce((sum, message) => sum + Buffer.byteLength(message), 0);

/** Some turns of the event loop, or none. */
async function turns(dice: Dice): Promise<void> {
  for (let left = dice.roll(6); left > 0; left--) await turn();
}

/** Passes on what it gets, at random times. */
const slow = (dice: Dice) =>
  new Transform({
    objectMode: true,
    highWaterMark: 1 + dice.roll(20),
    transform: (message: Message, _encoding, done) => void turns(dice).then(() => done(null, message)),
  });

/** Who hears of what a reader sees. */
interface Notes {
  message(message: Message): void;
  fault(description: string): void;
}

/** Reads a WebSocket until it is over. */
type Reader = (ws: AnyWebSocket, dice: Dice, note: Notes) => Promise<void>;

/** Stops the flow at some messages, for some turns of the event loop. */
function restSometimes(ws: AnyWebSocket, dice: Dice): void {
  if (dice.roll(5) > 0) return;
  ws.pause();
  void turns(dice).then(() => ws.resume());
}

/** A loop throws the error of the stream, and no other. */
async function untilFailure(ws: AnyWebSocket, note: Notes, loop: Promise<void>): Promise<void> {
  await loop.catch((error) => {
    if (error !== ws.errored) note.fault(`a loop threw ${error}`);
  });
}

/** Ways to read a WebSocket as a stream. */
const streamReaders: Readonly<Record<string, Reader>> = {
  async data(ws, dice, note) {
    ws.on('data', (message) => {
      if (ws.isPaused()) note.fault('a message came in a pause');
      note.message(message as Message);
      restSometimes(ws, dice);
    });
  },

  'for await': (ws, dice, note) =>
    untilFailure(
      ws,
      note,
      (async () => {
        for await (const message of ws) {
          note.message(message as Message);
          await turns(dice);
        }
      })(),
    ),

  async pipe(ws, dice, note) {
    const target = new Writable({
      objectMode: true,
      write(message: Message, _encoding, done) {
        note.message(message as Message);
        done();
      },
    });
    const between = slow(dice);
    ws.pipe(between).pipe(target);
    // A pipe does not pass errors on.
    ws.once('error', () => between.end());
    await finished(target);
  },

  async readable(ws, dice, note) {
    let resting = false;
    const drain = () => {
      if (resting) return;
      for (let message = ws.read(); message !== null; message = ws.read()) {
        note.message(message as Message);
        if (dice.roll(5) > 0) continue;
        resting = true;
        return void turns(dice).then(() => {
          resting = false;
          drain();
        });
      }
    };
    ws.on('readable', drain);
  },
};

const readers: Readonly<Record<string, Reader>> = {
  ...streamReaders,

  async message(ws, dice, note) {
    ws.on('message', (message, { binary }) => {
      if (binary !== (typeof message !== 'string')) note.fault('a message was told to be of the other kind');
      note.message(message as Message);
      restSometimes(ws, dice);
    });
  },

  async once(ws, dice, note) {
    const over = new AbortController();
    for (const event of ['end', 'close'] as const) ws.once(event, () => over.abort());
    while (!over.signal.aborted) {
      const [message] = await once(ws, 'message', over).catch((error) => {
        if (error !== ws.errored && !over.signal.aborted) note.fault(`once() threw ${error}`);
        return [];
      });
      if (message !== undefined) note.message(message as Message);
      await turns(dice);
    }
  },
};

/** For a WebSocket with the option `messages: 'stream'`. What breaks off a message breaks off the WebSocket. */
const partsReader: Reader = async (ws, dice, note) => {
  let failure: unknown;
  const readParts = async (message: MessageStream): Promise<void> => {
    const parts: Message[] = [];
    for await (const part of message) {
      parts.push(part);
      if (dice.roll(4) === 0) await turns(dice);
    }
    note.message(message.binary ? Buffer.concat(parts as Buffer[]) : parts.join(''));
  };
  const readAll = async (): Promise<void> => {
    for await (const message of ws) {
      await readParts(message as MessageStream).catch((error) => {
        failure = error;
      });
    }
  };
  await untilFailure(ws, note, readAll());
  if (failure !== undefined && failure !== ws.errored) note.fault(`a message failed with ${failure}`);
};

type Callback = (error?: Error | null) => void;

/** What a writer does beside writing. */
interface Asides {
  ping(): void;
  /** Called for each message: returns what is to be called when it has been taken, or nothing for a writer that does not ask. */
  attempt(): Callback | undefined;
}

/** Writes messages until all have been written, or the WebSocket takes no more. */
type Writer = (ws: AnyWebSocket, messages: readonly Message[], dice: Dice, asides: Asides) => Promise<void>;

async function writeEach(
  ws: AnyWebSocket,
  messages: readonly Message[],
  write: (message: Message, done: Callback | undefined) => boolean,
  dice: Dice,
  { ping, attempt }: Asides,
  stops: () => boolean = () => !ws.writable,
): Promise<void> {
  const patient = dice.roll(2) === 0;
  for (const message of messages) {
    if (stops()) return;
    if (!write(message, attempt()) && patient) await drained(ws);
    if (dice.roll(6) === 0) ping();
    if (dice.roll(4) === 0) await turns(dice);
  }
}

function drained(ws: AnyWebSocket): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      for (const event of ['drain', 'close'] as const) ws.off(event, settle);
      resolve();
    };
    // It will not come to one that has ended.
    if (ws.destroyed || ws.writableEnded) return resolve();
    for (const event of ['drain', 'close'] as const) ws.on(event, settle);
  });
}

function sendByName(ws: AnyWebSocket, message: Message, done: Callback | undefined, dice: Dice): boolean {
  const bytes = Buffer.from(message as Buffer);
  const [data, options] = [dice.pick([message, bytes]), dice.pick([{}, { compress: true }, { compress: false }])];
  if (dice.roll(4) === 0)
    return ws.write(new PreparedMessage(data, { binary: typeof message !== 'string', ...options }), done);
  return typeof message === 'string'
    ? ws.sendTextMessage(data, options, done)
    : ws.sendBinaryMessage(data, options, done);
}

/** A message as a source of pieces. */
function inPieces(message: Message, dice: Dice): Readable {
  function* pieces(): Generator<Message> {
    for (let at = 0; at < message.length; ) {
      let end = at + 1 + dice.roll(Math.min(message.length - at, dice.pick([3, 1000, 100_000])));
      // Half a character is none.
      if (typeof message === 'string' && /[\udc00-\udfff]/.test(message.charAt(end))) end++;
      yield message.slice(at, end) as Message;
      at = end;
    }
  }
  return Object.assign(Readable.from(pieces()), { binary: typeof message !== 'string' });
}

const writeInPieces = (ws: AnyWebSocket, message: Message, done: Callback | undefined, dice: Dice) =>
  ws.write(dice.roll(3) === 0 ? inPieces(message, dice) : message, done);

async function pipeInto(ws: AnyWebSocket, messages: readonly Message[], end: boolean): Promise<void> {
  const source = Readable.from(messages);
  source.pipe(ws, { end });
  await new Promise((resolve) => {
    source.once('end', resolve);
    ws.once('close', resolve);
  });
}

const writers: Readonly<Record<string, Writer>> = {
  write: (ws, messages, dice, asides) =>
    writeEach(ws, messages, (message, done) => ws.write(message, done), dice, asides),
  send: (ws, messages, dice, asides) =>
    writeEach(ws, messages, (message, done) => sendByName(ws, message, done, dice), dice, asides),
  pieces: (ws, messages, dice, asides) =>
    writeEach(ws, messages, (message, done) => writeInPieces(ws, message, done, dice), dice, asides),
  pipe: (ws, messages) => pipeInto(ws, messages, false),
};

/** One that does not look whether it may still write. */
const insistentWriter: Writer = (ws, messages, dice, asides) =>
  writeEach(
    ws,
    messages,
    (message, done) => ws.write(message, done),
    dice,
    asides,
    () => ws.destroyed,
  );

const otherWriters: Readonly<Record<string, Writer>> = {
  'pipe to the end': (ws, messages) => pipeInto(ws, messages, true),
  insistent: insistentWriter,
};

/** How one end of a conversation behaves. */
export interface Manners {
  readonly reader: string;
  readonly writer: string;
}

/**
 * One that can be answered after its last word: both ends are streams that end the WebSocket themselves.
 */
export const pipeManners = (dice: Dice): Manners => ({
  reader: dice.pick(Object.keys(streamReaders)),
  writer: 'pipe to the end',
});

export const randomManners = (dice: Dice): Manners => ({
  reader: dice.pick([...Object.keys(readers), 'parts']),
  writer: dice.pick(Object.keys(writers)),
});

/** One that may be interrupted. */
export const talkativeManners = (dice: Dice): Manners => ({
  reader: dice.pick([...Object.keys(readers), 'parts']),
  writer: dice.pick([...Object.keys(writers), 'insistent']),
});

/** One end of a conversation: what it has to say, and all that is seen of it. */
export class Talker {
  readonly received: Message[] = [];
  /** 'end', and the code of each error, as the stream told them. */
  readonly endings: string[] = [];
  /** Settled when all has been written, or cannot be written any more. */
  readonly written: Promise<void>;
  /** Settled when the WebSocket is over and all that was read from it has been noted. */
  readonly over: Promise<unknown>;
  /** What must not be, whatever the end. */
  readonly faults: string[] = [];
  readonly #pipes: boolean;
  #attempts = 0;
  /** The numbers of messages whose callbacks said that they were taken, or that they failed. */
  readonly taken = new Set<number>();
  readonly failed = new Set<number>();
  readonly #waiting: (() => void)[] = [];

  readonly ws: AnyWebSocket;
  readonly messages: readonly Message[];

  constructor(
    ws: AnyWebSocket,
    messages: readonly Message[],
    { reader, writer }: Manners,
    can: Capabilities,
    dice: Dice,
  ) {
    this.ws = ws;
    this.messages = messages;
    ws.on('end', () => this.endings.push('end'));
    ws.on('error', (error) => this.endings.push((error as WebSocketError).code ?? error.message));
    const closed = new Promise((resolve) => ws.once('close', resolve));
    const read = reader === 'parts' ? partsReader : (readers[reader] as Reader);
    const write = (writers[writer] ?? otherWriters[writer]) as Writer;
    const notes: Notes = {
      message: (message) => this.#note(message),
      fault: (description) => this.faults.push(description),
    };
    this.over = Promise.all([closed, read(ws, fork(dice), notes)]);
    const asking = fork(dice);
    const asides: Asides = {
      // Of a ping that is lost with the connection, the stream tells as well.
      ping: () => void (can.ping && ws.ping().catch(() => {})),
      attempt: () => this.#attempt(asking),
    };
    this.#pipes = writer.startsWith('pipe');
    this.written = write(ws, messages, fork(dice), asides);
  }

  /** Waits until so many messages have come. */
  async hasReceived(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Messages that were given to `write()`, one after the other; undefined where a pipe does that. */
  get attempted(): number | undefined {
    return this.#pipes ? undefined : this.#attempts;
  }

  #attempt(dice: Dice): Callback | undefined {
    const number = this.#attempts++;
    if (dice.roll(2) === 0) {
      // Without a callback, `false` on a stream that has ended is all that tells of it.
      if (this.ws.writableEnded || this.ws.destroyed) this.failed.add(number);
      return undefined;
    }
    return (error) => {
      if (this.taken.has(number) || this.failed.has(number)) this.faults.push('a callback was called twice');
      (error ? this.failed : this.taken).add(number);
    };
  }

  #note(message: Message): void {
    this.received.push(message);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
