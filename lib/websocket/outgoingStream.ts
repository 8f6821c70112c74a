import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Capabilities, DataFrame } from '../contracts';
import { WebSocketError } from '../errors';
import { type BinaryData, toBytes } from '../framing/outgoingMessage';

/** What can be sent as one message, piece by piece: all of the pieces strings, or all of them bytes. */
export type MessageSource = Readable | ReadableStream | AsyncIterable<string | BinaryData>;

export function isMessageSource(chunk: unknown): chunk is MessageSource {
  return typeof chunk === 'object' && chunk !== null && Symbol.asyncIterator in chunk;
}

/** Sends a fragment and calls back when the next one may follow. */
export type SendFragment = (fragment: DataFrame, sent: (error?: Error | null) => void) => void;

export interface StreamingRules {
  readonly capabilities: Capabilities;
  /** Bytes that are collected for versions without fragments. */
  readonly maxMessageSize: number;
}

/** The sources that were written and have not been sent to their end. */
export class OutgoingStreams {
  readonly #streams = new Map<MessageSource, OutgoingStream>();

  /** A source goes into the queue. What goes wrong with it while it waits is told when its turn comes. */
  enqueued(source: MessageSource): void {
    if (!this.#streams.has(source)) this.#streams.set(source, new OutgoingStream(source));
  }

  /** A source will not be sent: it learns that. */
  discard(source: MessageSource): void {
    if (!this.#streams.has(source)) new OutgoingStream(source).cancel();
  }

  /** @throws WebSocketError WS_ERR_SOURCE_FAILED, WS_ERR_INVALID_ARGUMENT, and what sending a fragment fails with */
  async send(source: MessageSource, send: SendFragment, rules: StreamingRules): Promise<void> {
    this.enqueued(source);
    const stream = this.#streams.get(source) as OutgoingStream;
    try {
      if (rules.capabilities.fragments) await stream.sendFragments(send);
      else await stream.sendWhole(send, rules);
    } finally {
      this.#streams.delete(source);
      stream.cancel();
    }
  }

  /** Nothing more will be sent: the sources learn it. */
  cancel(): void {
    for (const stream of this.#streams.values()) stream.cancel();
    this.#streams.clear();
  }
}

type Kind = 'text' | 'binary';

class OutgoingStream {
  readonly #readable: Readable;
  #kind: Kind | undefined;
  /** The first half of a surrogate pair, whose other half the next piece must have. */
  #half = '';

  constructor(source: MessageSource) {
    this.#readable = toReadable(source);
    const { binary } = source as { readonly binary?: unknown };
    if (typeof binary === 'boolean') this.#kind = binary ? 'binary' : 'text';
    // Until its turn comes, when the loop that reads it finds the error.
    this.#readable.on('error', ignore);
  }

  async sendFragments(send: SendFragment): Promise<void> {
    let first = true;
    const sendNext = (payload: string | Uint8Array, fin: boolean) =>
      new Promise<void>((resolve, reject) => {
        const opcode = first ? (this.#kind ?? 'binary') : 'continuation';
        first = false;
        send({ opcode, fin, payload }, (error) => (error ? reject(error) : resolve()));
      });
    for await (const payload of this.#pieces()) await sendNext(payload, false);
    await sendNext(this.#half, true);
  }

  /** For versions that have no fragments. */
  async sendWhole(send: SendFragment, { capabilities, maxMessageSize }: StreamingRules): Promise<void> {
    const pieces: (string | Uint8Array)[] = [];
    let size = 0;
    for await (const payload of this.#pieces()) {
      size += payload.length;
      if (size > maxMessageSize) throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', 'this version has no fragments');
      pieces.push(payload);
    }
    const opcode = this.#kind ?? (capabilities.binary ? 'binary' : 'text');
    if (opcode === 'binary' && !capabilities.binary)
      throw new WebSocketError('WS_ERR_UNSUPPORTED', 'no binary messages');
    const payload = opcode === 'text' ? `${pieces.join('')}${this.#half}` : Buffer.concat(pieces as Uint8Array[]);
    await new Promise<void>((resolve, reject) => {
      send({ opcode, payload }, (error) => (error ? reject(error) : resolve()));
    });
  }

  cancel(): void {
    this.#readable.destroy();
  }

  /** The payloads, none of them empty. */
  async *#pieces(): AsyncGenerator<string | Uint8Array> {
    try {
      for await (const piece of this.#readable) {
        const payload = typeof piece === 'string' ? this.#wholeCharacters(piece) : toBytes(piece);
        const kind = typeof payload === 'string' ? 'text' : 'binary';
        this.#kind ??= kind;
        if (payload === undefined || kind !== this.#kind)
          throw new WebSocketError(
            'WS_ERR_INVALID_ARGUMENT',
            `the pieces of a ${this.#kind} message are all ${this.#kind === 'text' ? 'strings' : 'bytes'}`,
          );
        if (payload.length > 0) yield payload;
      }
    } catch (cause) {
      if (cause instanceof WebSocketError) throw cause;
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

/** A stream that can be destroyed at any time, whatever it is waiting for. */
function toReadable(source: MessageSource): Readable {
  if (source instanceof Readable) return source;
  const options = { objectMode: true, highWaterMark: 1 };
  // A web stream that is being read can only be cancelled by its reader.
  if ('getReader' in source) return Readable.fromWeb(source, options);
  return Readable.from(source, options);
}

function ignore(): void {}
