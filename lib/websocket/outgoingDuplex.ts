import type { Connection } from '../connection/connection';
import type { Message } from '../contracts';
import { WebSocketError } from '../errors';
import { isBinary, toOutgoing } from '../framing/outgoingMessage';
import { defaults } from '../options';
import type { Delivered } from './incomingMessages';
import { NegotiatedDuplex } from './negotiatedDuplex';
import { Outbox } from './outbox';
import { isMessageSource, type MessageSource } from './outgoingStream';
import type { Callback } from './writingDuplex';

/** A Duplex of messages that sends what is written as soon as there is a connection, and room on it. */
export abstract class OutgoingDuplex<M extends Delivered = Message> extends NegotiatedDuplex<M> {
  readonly #outbox = new Outbox(this);

  /** Bytes that were written and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#outbox.bytes;
  }

  /** Messages that have been sent. */
  protected get sent(): number {
    return this.#outbox.sent;
  }

  /** Whether a message waits for the connection to take it. */
  protected get hasUnsent(): boolean {
    return this.#outbox.any;
  }

  /** Called when a message has to wait: its time may be over. */
  protected abstract checkUnsent(): void;

  protected override get isFull(): boolean {
    return this.#outbox.isFull;
  }

  protected override get unsentCost(): number {
    return this.#outbox.cost;
  }

  protected override refusal(chunk: unknown): WebSocketError | undefined {
    if (typeof chunk === 'string' || this.capabilities.binary || !isBinary(chunk)) return undefined;
    return new WebSocketError('WS_ERR_UNSUPPORTED', `${this.version} has no binary messages`);
  }

  protected override writeNow(chunk: unknown): boolean {
    return this.#outbox.sendNow(chunk);
  }

  protected override writing(message: unknown): void {
    if (this.writable) this.#outbox.enqueued(message);
    else this.discard(message);
  }

  protected override discard(message: unknown): void {
    if (isMessageSource(message)) this.#outbox.discard(message);
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, done: Callback): void {
    if (isMessageSource(chunk)) return this.#writeSource(chunk, done);
    this.#outbox.dequeued(chunk);
    const item = this.refusal(chunk) ?? toOutgoing(chunk);
    if (item instanceof WebSocketError) {
      // Bytes that are no text mostly come from a peer, in an echo say, and a peer must not be able to end the process.
      if (item.code !== 'WS_ERR_INVALID_ARGUMENT') this.tolerateError();
      return done(item);
    }
    if (this.#outbox.send(item, done)) this.roomMade();
    else this.checkUnsent();
  }

  /** One message of many fragments. Its source may have come from a peer, so it must not be able to end the process. */
  #writeSource(source: MessageSource, done: Callback): void {
    const { maxMessageSize = defaults.maxMessageSize } = this.settings;
    const sent = () => {
      done();
      this.roomMade();
    };
    const fail = (error: Error) => {
      this.tolerateError();
      done(error);
    };
    // Not in the callbacks of the promise, where what a listener throws would become a rejection.
    this.#outbox
      .sendSource(source, { capabilities: this.capabilities, maxMessageSize }, () => this.checkUnsent())
      .then(
        () => process.nextTick(sent),
        (error) => process.nextTick(fail, error),
      );
  }

  /** From now on there is a connection to send through. */
  protected sendThrough(connection: Connection): void {
    this.#outbox.open(connection);
    this.roomMade();
  }

  /** There may be room for what waits. */
  protected sendWaiting(): void {
    this.#outbox.retry();
    this.roomMade();
  }

  /** What has not been sent will not be. */
  protected giveUpSending(error: Error | null): void {
    this.#outbox.fail(error);
  }
}
