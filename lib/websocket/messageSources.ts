import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { describeValue } from '../codec/describeValue';
import type { Capabilities, DataFrame } from '../contracts';
import { WebSocketError } from '../errors';
import { type BinaryData, toBytes } from '../framing/outgoingMessage';

/** What can be sent as one message, piece by piece: all of the pieces strings, or all of them bytes. */
export type MessageSource = Readable | ReadableStream | AsyncIterable<string | BinaryData>;

export function isMessageSource(chunk: unknown): chunk is MessageSource {
  return typeof chunk === 'object' && chunk !== null && Symbol.asyncIterator in chunk;
}

export interface StreamingRules {
  readonly capabilities: Capabilities;
  /** Bytes that are collected for versions without fragments. */
  readonly maxMessageSize: number;
}

/** Sends a fragment, and calls back when the next one may follow. */
type SendFragment = (fragment: DataFrame, sent: (error?: Error | null) => void) => void;

type Kind = 'text' | 'binary';

/** Reads a source of any kind, piece by piece, until it is stopped. */
interface SourceReader {
  next(): Promise<IteratorResult<unknown, unknown>>;
  /** Tells the source that nothing more will be read. Called once, unless the source has ended. */
  cancel(error: Error): void;
}

/** One source on its way: its pieces become the fragments of a message. It can be stopped at any time, whatever it waits for. */
export class OutgoingSource {
  readonly #source: MessageSource;
  #reader: SourceReader | undefined;
  #kind: Kind | undefined;
  /** The first half of a surrogate pair, whose other half the next piece must have. */
  #half = '';
  /** The source has ended, or was told that nothing more will be read. */
  #over = false;
  /** The error that it was stopped with, or that has failed it: nothing is read or sent after that. */
  #failure: WebSocketError | undefined;
  #done: ((error?: WebSocketError) => void) | undefined;

  constructor(source: MessageSource) {
    this.#source = source;
    const { binary } = source as { readonly binary?: unknown };
    if (typeof binary === 'boolean') this.#kind = binary ? 'binary' : 'text';
    // An error before its turn is found when it is read; it must not end the process until then.
    if (isNodeStream(source)) source.on('error', ignore);
  }

  /**
   * Sends the source as one message.
   * @param done called once: with WS_ERR_SOURCE_FAILED, WS_ERR_INVALID_ARGUMENT, WS_ERR_MESSAGE_TOO_BIG, WS_ERR_UNSUPPORTED, or the error that
   * it was stopped with
   */
  send(sendFragment: SendFragment, rules: StreamingRules, done: (error?: WebSocketError) => void): void {
    this.#done = done;
    const send = (fragment: DataFrame) =>
      new Promise<void>((resolve, reject) => sendFragment(fragment, (error) => (error ? reject(error) : resolve())));
    const sending = rules.capabilities.fragments ? this.#sendFragments(send) : this.#sendWhole(send, rules);
    // Not in the callbacks of the promise, where an exception of a listener would become a rejection.
    sending.then(
      () => process.nextTick(() => this.#finish(undefined)),
      (error) => process.nextTick(() => this.#fail(error as WebSocketError)),
    );
  }

  /** Nothing more will be sent: the source learns it at once, and so does whoever waits for the message. */
  stop(error: WebSocketError): void {
    this.#fail(error);
  }

  #fail(error: WebSocketError): void {
    this.#failure ??= error;
    if (!this.#over) this.#cancel(error);
    this.#finish(error);
  }

  #cancel(error: WebSocketError): void {
    this.#over = true;
    try {
      this.#reader ??= readerOf(this.#source);
      this.#reader.cancel(error);
    } catch {
      // A locked web stream, for example, cannot be told.
    }
  }

  #finish(error: WebSocketError | undefined): void {
    this.#over = true;
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }

  async #sendFragments(send: (fragment: DataFrame) => Promise<void>): Promise<void> {
    let first = true;
    const sendNext = (payload: string | Uint8Array, fin: boolean) => {
      const opcode = first ? (this.#kind ?? 'binary') : 'continuation';
      first = false;
      return send({ opcode, fin, payload });
    };
    for (let payload = await this.#next(); payload !== undefined; payload = await this.#next())
      if (payload.length > 0) await sendNext(payload, false);
    await sendNext(this.#half, true);
  }

  /** For versions that have no fragments. */
  async #sendWhole(
    send: (fragment: DataFrame) => Promise<void>,
    { capabilities, maxMessageSize }: StreamingRules,
  ): Promise<void> {
    const pieces: (string | Uint8Array)[] = [];
    let size = 0;
    for (let payload = await this.#next(); payload !== undefined; payload = await this.#next()) {
      size += payload.length;
      if (size > maxMessageSize)
        throw new WebSocketError(
          'WS_ERR_MESSAGE_TOO_BIG',
          `the version has no fragments, and a source has more than maxMessageSize, ${maxMessageSize} bytes`,
        );
      pieces.push(payload);
    }
    const opcode = this.#kind ?? (capabilities.binary ? 'binary' : 'text');
    if (opcode === 'binary' && !capabilities.binary)
      throw new WebSocketError('WS_ERR_UNSUPPORTED', 'the version has no binary messages');
    await send({
      opcode,
      payload: opcode === 'text' ? `${pieces.join('')}${this.#half}` : Buffer.concat(pieces as Uint8Array[]),
    });
  }

  /** The next payload; undefined at the end of the source. */
  async #next(): Promise<string | Uint8Array | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const result = await this.#read();
    // A web stream that is cancelled answers as if it had come to its end.
    if (this.#failure !== undefined) throw this.#failure;
    if (result.done === true) {
      this.#over = true;
      return undefined;
    }
    const piece = result.value;
    const payload = typeof piece === 'string' ? this.#wholeCharacters(piece) : toBytes(piece);
    const kind = typeof payload === 'string' ? 'text' : 'binary';
    this.#kind ??= kind;
    if (payload !== undefined && kind === this.#kind) return payload;
    const expected = this.#kind === 'text' ? 'a string' : 'a Buffer, typed array, DataView or ArrayBuffer';
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `each piece of a ${this.#kind} message must be ${expected}, not ${describeValue(piece)}`,
    );
  }

  async #read(): Promise<IteratorResult<unknown, unknown>> {
    try {
      this.#reader ??= readerOf(this.#source);
      return await this.#reader.next();
    } catch (cause) {
      // It has failed by itself, and knows.
      this.#over = true;
      throw new WebSocketError('WS_ERR_SOURCE_FAILED', (cause as Error)?.message, { cause });
    }
  }

  /** Each fragment is encoded by itself, so none may end between the halves of a character. */
  #wholeCharacters(piece: string): string {
    const text = this.#half + piece;
    const last = text.charCodeAt(text.length - 1);
    const cut = last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
    this.#half = text.slice(cut);
    return text.slice(0, cut);
  }
}

/** By its methods: a stream of another realm, or of the package `readable-stream`, is no instance of this realm's Readable. */
function isNodeStream(source: MessageSource): source is Readable {
  return (
    'destroy' in source && 'on' in source && typeof source.destroy === 'function' && typeof source.on === 'function'
  );
}

function readerOf(source: MessageSource): SourceReader {
  if (isNodeStream(source)) {
    const iterator = source[Symbol.asyncIterator]();
    return { next: () => iterator.next(), cancel: (error) => source.destroy(error) };
  }
  if ('getReader' in source) {
    const reader = source.getReader();
    return {
      next: async () => reader.read() as Promise<IteratorResult<unknown>>,
      cancel: (error) => settleQuietly(reader.cancel(error)),
    };
  }
  const iterator = source[Symbol.asyncIterator]();
  // A generator that never goes on never answers either.
  return { next: () => iterator.next(), cancel: () => settleQuietly(iterator.return?.()) };
}

/** What a source says to its cancellation is nobody's affair. */
function settleQuietly(answer: Promise<unknown> | undefined): void {
  if (answer !== undefined) Promise.resolve(answer).catch(ignore);
}

function ignore(): void {}
