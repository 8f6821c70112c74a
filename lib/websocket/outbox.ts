import type { Connection } from '../connection/connection';
import type { DataFrame, Outgoing } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import { costOfOutgoing, messageSize, toOutgoing } from '../framing/outgoingMessage';
import { isMessageSource, type MessageSource, OutgoingStreams, type StreamingRules } from './outgoingStream';

type Done = (error?: Error | null) => void;

/**
 * What has been written and has not been sent: the one write that waits for the connection to open, or for the transport to
 * have room, and what the stream keeps in its queue behind it.
 */
export class Outbox {
  readonly #webSocket: object;
  #connection: Connection | undefined;
  #first: { readonly item: Outgoing; readonly done: Done } | undefined;
  #bytesBehind = 0;
  #costBehind = 0;
  #sources: OutgoingStreams | undefined;
  /** Messages that have been sent. */
  sent = 0;

  /** @param webSocket whose it is */
  constructor(webSocket: object) {
    this.#webSocket = webSocket;
  }

  get #streams(): OutgoingStreams {
    this.#sources ??= new OutgoingStreams();
    return this.#sources;
  }

  /** Whether a write waits. */
  get any(): boolean {
    return this.#first !== undefined;
  }

  /** Bytes of all of it, and of what the connection has of it. */
  get bytes(): number {
    const first = this.#first === undefined ? 0 : messageSize(this.#first.item);
    return first + this.#bytesBehind + (this.#connection?.bufferedAmount ?? 0);
  }

  /** The memory that it keeps alive, with what the connection has of it. */
  get cost(): number {
    const first = this.#first === undefined ? 0 : costOfOutgoing(this.#first.item);
    return first + this.#costBehind + (this.#connection?.bufferedAmount ?? 0);
  }

  /** Whether the connection takes nothing for now. */
  get isFull(): boolean {
    return this.#connection?.isFull === true;
  }

  open(connection: Connection): void {
    this.#connection = connection;
    this.retry();
  }

  /** Sends a message past the queue, if it is one and there is room. */
  sendNow(chunk: unknown): boolean {
    const connection = this.#connection;
    if (connection === undefined || connection.transportClosed || isMessageSource(chunk)) return false;
    const item = toOutgoing(chunk);
    return !(item instanceof WebSocketError) && this.#offer(item);
  }

  /** A chunk goes into the stream's queue. */
  enqueued(chunk: unknown): void {
    if (isMessageSource(chunk)) return this.#streams.enqueued(chunk);
    this.#bytesBehind += messageSize(chunk);
    this.#costBehind += costOfOutgoing(chunk);
  }

  /** A source will not be sent. */
  discard(source: MessageSource): void {
    this.#streams.discard(source);
  }

  /** A chunk has come out of the queue. */
  dequeued(chunk: unknown): void {
    this.#bytesBehind -= messageSize(chunk);
    this.#costBehind -= costOfOutgoing(chunk);
  }

  /** Sends an item as soon as there is room. Returns false if it has to wait. */
  send(item: Outgoing, done: Done): boolean {
    if (this.#connection?.transportClosed !== true && this.#offer(item)) {
      done();
      return true;
    }
    this.#first = { item, done };
    return false;
  }

  /** @throws what goes wrong with the source, or with a fragment */
  async sendSource(source: MessageSource, rules: StreamingRules, held: () => void): Promise<void> {
    const send = (fragment: DataFrame, sent: Done) => {
      if (!this.send(fragment, sent)) held();
    };
    await this.#streams.send(source, send, rules);
  }

  /** There may be room again. */
  retry(): void {
    const first = this.#first;
    if (first === undefined || !this.#offer(first.item)) return;
    this.#first = undefined;
    first.done();
  }

  /** Nothing more will be sent. */
  fail(error: Error | null): void {
    this.#sources?.cancel();
    this.#bytesBehind = this.#costBehind = 0;
    const first = this.#first;
    if (first === undefined) return;
    this.#first = undefined;
    first.done(error ?? new WebSocketError('WS_ERR_ABORTED'));
  }

  #offer(item: Outgoing): boolean {
    if (this.#connection?.offer(item) !== true) return false;
    if (isFragment(item)) return true;
    this.sent++;
    if (diagnostics.messageSent.hasSubscribers)
      diagnostics.messageSent.publish({ webSocket: this.#webSocket, message: item });
    return true;
  }
}

/** A part of a message after which others come. */
function isFragment(item: Outgoing): boolean {
  return typeof item === 'object' && 'fin' in item && item.fin === false;
}
