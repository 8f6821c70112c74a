import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { describeValue } from '../codec/describeValue';
import type { Capabilities, DataFrame } from '../contracts';
import { WebSocketError } from '../errors';
import { type BinaryData, toBytes } from '../framing/outgoingMessage';

/** A stream or iterable that is sent as one message. Its pieces must all be strings, or all be bytes. */
export type MessageSource = Readable | ReadableStream | AsyncIterable<string | BinaryData>;

export function isMessageSource(chunk: unknown): chunk is MessageSource {
  return typeof chunk === 'object' && chunk !== null && Symbol.asyncIterator in chunk;
}

export interface StreamingRules {
  readonly capabilities: Capabilities;
  /** Most bytes that are collected for one message in versions without fragments. */
  readonly maxMessageSize: number;
}

/** Sends a fragment, and calls `sent` when the next one may follow. */
type SendFragment = (fragment: DataFrame, sent: (error?: Error | null) => void) => void;

type Kind = 'text' | 'binary';

/** Reads a source of any kind, piece by piece, until it is stopped. */
interface SourceReader {
  next(): Promise<IteratorResult<unknown, unknown>>;
  /** Cancels the source: nothing more will be read. Called at most once, and not after the source has ended. */
  cancel(error: Error): void;
}

/**
 * A source that is being sent, its pieces as the fragments of one message. It can be stopped at any time, also while it
 * waits for a piece.
 */
export class OutgoingSource {
  readonly #source: MessageSource;
  #reader: SourceReader | undefined;
  #kind: Kind | undefined;
  /** The high surrogate at the end of the last piece, whose low surrogate is expected in the next piece. */
  #half = '';
  /** Whether the source has ended or was cancelled. */
  #over = false;
  /** The error that the source was stopped with or has failed with. Nothing is read or sent after that. */
  #failure: WebSocketError | undefined;
  #done: ((error?: WebSocketError) => void) | undefined;

  constructor(source: MessageSource) {
    this.#source = source;
    const { binary } = source as { readonly binary?: unknown };
    if (typeof binary === 'boolean') this.#kind = binary ? 'binary' : 'text';
    // A source may fail while it waits in the write queue. The error is reported when the source is read, and must not
    // end the process before.
    if (isNodeStream(source)) source.on('error', ignore);
  }

  /**
   * Sends the source as one message.
   * @param done called once, without an error or with WS_ERR_SOURCE_FAILED, WS_ERR_INVALID_ARGUMENT,
   * WS_ERR_MESSAGE_TOO_BIG, WS_ERR_UNSUPPORTED, or the error passed to `stop()`
   */
  send(sendFragment: SendFragment, rules: StreamingRules, done: (error?: WebSocketError) => void): void {
    this.#done = done;
    const send = (fragment: DataFrame) =>
      new Promise<void>((resolve, reject) => sendFragment(fragment, (error) => (error ? reject(error) : resolve())));
    const sending = rules.capabilities.fragments ? this.#sendFragments(send) : this.#sendWhole(send, rules);
    // nextTick(), because an exception of a listener inside the callbacks of the promise would become an unhandled
    // rejection.
    sending.then(
      () => process.nextTick(() => this.#finish(undefined)),
      (error) => process.nextTick(() => this.#fail(error as WebSocketError)),
    );
  }

  /** Stops sending: cancels the source and calls `done` with the error. */
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
      // A source that cannot be cancelled, such as a locked web stream, is left as it is.
    }
  }

  #finish(error: WebSocketError | undefined): void {
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

  /** Sends the whole source in one frame, for versions without fragments. */
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

  /** Returns the next payload; undefined at the end of the source. */
  async #next(): Promise<string | Uint8Array | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const result = await this.#read();
    // If a web stream is cancelled during the read, the result is the same as at its end.
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
      // The source has failed by itself, so it need not be cancelled.
      this.#over = true;
      throw new WebSocketError('WS_ERR_SOURCE_FAILED', (cause as Error)?.message, { cause });
    }
  }

  /**
   * Returns the piece without a high surrogate at its end, which is kept for the next piece. Each fragment is encoded
   * on its own, so none may end between the two halves of a surrogate pair.
   */
  #wholeCharacters(piece: string): string {
    const text = this.#half + piece;
    const last = text.charCodeAt(text.length - 1);
    const cut = last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
    this.#half = text.slice(cut);
    return text.slice(0, cut);
  }
}

/**
 * Recognizes a Node stream by its methods: a stream of another realm, or of the package `readable-stream`, is no
 * instance of this realm's Readable.
 */
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
  // The result of return() is not awaited: a generator that waits forever never settles it.
  return { next: () => iterator.next(), cancel: () => settleQuietly(iterator.return?.()) };
}

/** Ignores the rejection of a cancellation. */
function settleQuietly(answer: Promise<unknown> | undefined): void {
  Promise.resolve(answer).catch(ignore);
}

function ignore(): void {}
