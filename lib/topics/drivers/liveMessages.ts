import type { WebSocketError } from '../../errors';

/** A message of the log of a topic. */
export interface LogMessage {
  readonly offset: number;
  /** The offset of the message of this topic before it; another number if that is not known. */
  readonly previous: number;
  /** undefined for an entry of the driver's own, which readers do not get. */
  readonly data: string | Buffer | undefined;
}

/** Most of what waits for a reader that does not ask for the next message. What is beyond is read from the log again. */
const mostMessages = 256;
const mostBytes = 1024 * 1024;

/** How many calls of `review()` without a message it takes until the reader looks for missed ones. */
const callsBetweenReviews = 6;

/** The messages that a broker has sent to one reader, and the end of the reader. Bounded: too many messages are forgotten, all at once. */
export class LiveMessages {
  #messages: LogMessage[] = [];
  #bytes = 0;
  #overflowed = false;
  #ended = false;
  /** How often `review()` was called since the last message. */
  #quiet = 0;
  #reviewed = false;
  #error: WebSocketError | undefined;
  #wake: (() => void) | undefined;
  #onEnd: (() => void) | undefined;

  /** Whether messages were forgotten since the last `clear()`. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get failed(): boolean {
    return this.#error !== undefined;
  }

  push(message: LogMessage): void {
    if (this.#overflowed || this.#ended) return;
    const size = message.data?.length ?? 0;
    if (this.#messages.length > 0 && (this.#messages.length >= mostMessages || this.#bytes + size > mostBytes)) {
      this.clear();
      this.#overflowed = true;
    } else {
      this.#messages.push(message);
      this.#quiet = 0;
      this.#bytes += size;
    }
    this.#awake();
  }

  /** Forgets all messages, and takes new ones. */
  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
    this.#overflowed = false;
  }

  /** Called from time to time. If nothing has come for several calls, the reader looks whether it has missed something. */
  review(): void {
    if (++this.#quiet % callsBetweenReviews !== 0) return;
    this.#reviewed = true;
    this.#awake();
  }

  /** Returns whether the reader has to look for messages that it has missed, once for each time. */
  takeReview(): boolean {
    const reviewed = this.#reviewed;
    this.#reviewed = false;
    return reviewed;
  }

  /**
   * Resolves with the messages that have arrived, at least one, oldest first; without any after an overflow, for a review, and at the end.
   * @throws WebSocketError the error of `fail()`
   */
  async take(): Promise<readonly LogMessage[]> {
    while (this.#messages.length === 0 && !this.#overflowed && !this.#reviewed && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.check();
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return messages;
  }

  /** @throws WebSocketError the error of `fail()` */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** Sets what is called when the reader ends. */
  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  /** Ends the reader. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#messages = [];
    this.#awake();
    this.#onEnd?.();
  }

  /** Ends the reader with an error. */
  fail(error: WebSocketError): void {
    if (this.#ended) return;
    this.#error = error;
    this.end();
  }

  #awake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
