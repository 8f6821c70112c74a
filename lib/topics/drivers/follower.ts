import type { LiveMessages, LogMessage } from './liveMessages';

/** The log of one topic in a broker. */
export interface TopicLog {
  /** Begins to read what is kept. */
  openHistory(): History;
  /**
   * Calls `listener` with each message that is published after the promise has resolved, in order, possibly with gaps.
   * @returns a function that ends it
   */
  listen(listener: (message: LogMessage) => void): Promise<() => void>;
}

/** Reads the messages that the broker keeps. */
export interface History {
  /**
   * Resolves with the next messages after an offset, without a gap: a bounded number, none if there are no more.
   * @throws WebSocketError WS_ERR_TOPIC_LOST if messages after the offset were deleted, or the log is another one
   */
  next(after: number): Promise<readonly LogMessage[]>;
}

/**
 * Reads a log from an offset on. Asks for history until there is no more, then takes the messages that the broker sends by itself. It returns to history whenever one of
 * those was missed: when the predecessor of a message is not the last that it has, or when the reader was so slow that messages were
 * forgotten. So a broker never waits for a reader, and memory is bounded.
 */
export class Follower {
  readonly #log: TopicLog;
  readonly #live: LiveMessages;
  #offset: number;
  /** Whether there may be history that this reader does not have. */
  #behind = true;
  #history: History | undefined;
  #stopListening: (() => void) | undefined;

  constructor(log: TopicLog, offset: number, live: LiveMessages) {
    this.#log = log;
    this.#offset = offset;
    this.#live = live;
    live.onEnd(() => this.close());
  }

  /** Resolves with the next messages, at least one; without any at the end. */
  async next(): Promise<readonly LogMessage[]> {
    while (!this.#live.ended) {
      const messages = this.#behind ? await this.#readHistory() : await this.#takeLive();
      this.#offset = messages.at(-1)?.offset ?? this.#offset;
      if (messages.length > 0) return messages;
    }
    return [];
  }

  close(): void {
    this.#history = undefined;
    this.#stop();
  }

  async #readHistory(): Promise<readonly LogMessage[]> {
    this.#history ??= this.#log.openHistory();
    const messages = await this.#history.next(this.#offset);
    if (messages.length > 0 || this.#live.ended) return messages;
    this.#history = undefined;
    if (this.#stopListening === undefined) await this.#listen();
    else this.#behind = false;
    return [];
  }

  /** What is published until it listens is read from the history afterwards. */
  async #listen(): Promise<void> {
    this.#live.clear();
    const stop = await this.#log.listen((message) => this.#live.push(message));
    if (this.#live.ended) stop();
    else this.#stopListening = stop;
  }

  async #takeLive(): Promise<readonly LogMessage[]> {
    const messages = await this.#live.take();
    if (this.#live.overflowed) {
      // The broker need not send what would be forgotten.
      this.#stop();
      this.#behind = true;
      return [];
    }
    // A broker that sends messages only once may have lost the last ones, and no later one would tell.
    if (this.#live.takeReview()) this.#behind = true;
    const next: LogMessage[] = [];
    let offset = this.#offset;
    for (const message of messages) {
      if (message.offset <= offset) continue;
      if (message.previous !== offset) {
        this.#behind = true;
        break;
      }
      next.push(message);
      offset = message.offset;
    }
    return next;
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }
}
