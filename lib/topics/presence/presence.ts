import { Readable } from 'node:stream';
import { onAbort } from '../../client/abortSignals';
import { WebSocketError } from '../../errors';
import { checkOptions } from '../../options';
import { tolerateErrors } from '../../websocket/closing';
import { topicsClosed } from '../channel/link';
import type { PresenceRoom } from './presenceRoom';
import type { PresenceChange, PresentMember } from './presenceState';

/**
 * Who is present in a topic, in all processes: members that have the option `presence`, and those for whom `enter()` was called. Those of a
 * process that has been killed leave after `presenceTimeout`.
 */
export class Presence {
  readonly #room: () => PresenceRoom;
  readonly #closed: AbortSignal;

  /** @internal `topics.presence()` makes it. */
  constructor(room: () => PresenceRoom, closed: AbortSignal) {
    this.#room = room;
    this.#closed = closed;
  }

  /**
   * Makes somebody present, and returns the function that ends it.
   * @param info what others see, as `JSON.stringify()` keeps it; at most 16,384 characters of JSON
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT, WS_ERR_NOT_OPEN after `topics.close()`
   */
  enter(info: unknown): () => void {
    if (this.#closed.aborted) throw topicsClosed();
    return this.#room().enter(info);
  }

  /**
   * Resolves with everyone who is present now.
   * @throws WebSocketError WS_ERR_NOT_OPEN after `topics.close()`
   */
  async list(): Promise<PresentMember[]> {
    if (this.#closed.aborted) throw topicsClosed();
    const room = this.#room();
    const end = room.watch({ changed: () => {} });
    try {
      await room.ready;
      if (this.#closed.aborted) throw topicsClosed();
      return room.members;
    } finally {
      end();
    }
  }

  /**
   * Returns an object-mode Readable of differences, `{ joined, left }`. The first one has everyone who is present in `joined`. A slow reader
   * gets several differences as one.
   * @param options.signal destroys the stream with WS_ERR_ABORTED
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  changes(options: { signal?: AbortSignal } = {}): Readable {
    checkOptions(options, 'signal');
    return new PresenceChanges(this.#room, this.#closed, options.signal);
  }
}

class PresenceChanges extends Readable {
  readonly #forget: (() => void)[] = [];
  #joined = new Map<string, PresentMember>();
  #left = new Map<string, PresentMember>();
  #isWanted = false;
  #isReady = false;

  constructor(room: () => PresenceRoom, closed: AbortSignal, signal: AbortSignal | undefined) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#endWith(closed, () => {
      // The program has closed the topics, and knows it.
      tolerateErrors(this);
      return topicsClosed();
    });
    if (signal !== undefined)
      this.#endWith(signal, () => new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal.reason }));
    if (!this.destroyed) this.#watch(room());
  }

  override _read(): void {
    this.#isWanted = true;
    this.#pushChange();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const forget of this.#forget) forget();
    done(error);
  }

  #endWith(signal: AbortSignal, error: () => Error): void {
    const end = () => this.destroy(error());
    if (signal.aborted) end();
    else this.#forget.push(onAbort(signal, end));
  }

  #watch(room: PresenceRoom): void {
    this.#forget.push(room.watch({ changed: (change) => this.#changed(change) }));
    room.ready.then(() => {
      this.#isReady = true;
      this.#joined = new Map(room.members.map((member) => [member.id, member]));
      this.#left.clear();
      this.#pushChange(true);
    });
  }

  #changed({ joined, left }: PresenceChange): void {
    if (!this.#isReady) return;
    for (const member of left) if (!this.#joined.delete(member.id)) this.#left.set(member.id, member);
    for (const member of joined) if (!this.#left.delete(member.id)) this.#joined.set(member.id, member);
    this.#pushChange();
  }

  #pushChange(isFirst = false): void {
    const isEmpty = this.#joined.size === 0 && this.#left.size === 0;
    if (!this.#isReady || this.destroyed || (!isFirst && (isEmpty || !this.#isWanted))) return;
    this.#isWanted = false;
    const change: PresenceChange = { joined: [...this.#joined.values()], left: [...this.#left.values()] };
    this.#joined.clear();
    this.#left.clear();
    this.push(change);
  }
}
