import { onAbort } from '../../client/abortSignals';
import { throwLater } from '../../nodeStreams/throwLater';
import type { TopicMessage } from '../broker';
import { findLoss, type Position, parseCursor, toCursor } from '../cursor';
import type { Resumption } from '../options';
import { boundsOf, follow, startOf } from './follow';
import { isLost, type Link } from './link';
import type { Recall } from './recall';
import type { RecentMessages } from './recent';

/** The live messages of a topic, as far as a member needs them to come back to them. */
export interface Live {
  readonly link: Link;
  readonly name: string;
  /** Settles when the position is known, or the broker cannot be reached. */
  readonly started: Promise<void>;
  /** Behind the last live message that all members have been given. */
  readonly position: Position | undefined;
  /** The last of the live messages. */
  readonly recent: RecentMessages;
  readonly recall: Recall;
  /** Calls back in the turn in which the position is at or behind this one, or may have changed for another reason. */
  whenAt(offset: number, callback: () => void): void;
}

/** A member that reads history at its own pace. */
export interface Reader {
  /** Takes one message. The next one is read when the promise has resolved. It must not throw. */
  give(message: TopicMessage): void | Promise<void>;
  /** Called when the member has been given all messages up to the live ones. From now on it must be given those. */
  caughtUp(): void;
  onResume?: ((outcome: Resumption) => void) | undefined;
}

/** Reads history for one member, from a cursor until it has caught up with the live messages. */
export class CatchUp {
  readonly #live: Live;
  readonly #reader: Reader;
  readonly #stopping = new AbortController();

  /**
   * @param after a cursor, or `'start'`
   * @param resumes whether the member is told that it continues
   */
  constructor(live: Live, reader: Reader, after: string, resumes: boolean) {
    this.#live = live;
    this.#reader = reader;
    void this.#run(after, resumes);
  }

  /** Stops reading. Nothing is given to the member any more. */
  stop(): void {
    this.#stopping.abort();
  }

  async #run(after: string, resumes: boolean): Promise<void> {
    const { signal } = this.#stopping;
    await this.#live.started;
    if (signal.aborted) return;
    let cursor: string | undefined = await this.#begin(after, resumes);
    while (cursor !== undefined && !signal.aborted) {
      const position = parseCursor(cursor) as Position;
      if (await this.#catchesUpAt(position)) return;
      const { recent, recall } = this.#live;
      if (!recent.continues(position)) await recall.reach(position, signal);
      if (signal.aborted) return;
      cursor = recent.continues(position) ? await this.#takeRecent(cursor) : await this.#follow(cursor);
    }
  }

  /** Returns the cursor to begin after; undefined if the member has left. */
  async #begin(after: string, resumes: boolean): Promise<string | undefined> {
    // If the cursor cannot be continued, reading says so.
    if (!resumes) return after;
    const { link, name } = this.#live;
    const { signal } = this.#stopping;
    const bounds = this.#isRecent(after) ? undefined : await boundsOf(link, name, signal);
    if (signal.aborted) return undefined;
    if (after === 'start') return bounds && startOf(bounds);
    const lost = bounds && findLoss(after, bounds);
    if (lost === undefined) {
      this.#tell({ recovered: true, after });
      return after;
    }
    this.#tell({ recovered: false, lost, after });
    return bounds && startOf(bounds);
  }

  /** Whether a member that was given all up to this cursor needs no answer of the broker. */
  #isRecent(after: string): boolean {
    const { position: live, recent } = this.#live;
    const position = parseCursor(after);
    if (live === undefined || position === undefined) return false;
    return after === toCursor(live) || recent.continues(position);
  }

  /** Gives the recent messages to the member. Returns the cursor of the last one; undefined if the member has left. */
  async #takeRecent(after: string): Promise<string | undefined> {
    const { recent } = this.#live;
    const { signal } = this.#stopping;
    let last = after;
    for (;;) {
      const message = recent.next(parseCursor(last) as Position);
      if (message === undefined) return last;
      last = message.id;
      const given = this.#reader.give(message);
      if (given !== undefined) await given;
      if (signal.aborted) return undefined;
    }
  }

  /** Reads until the member has left or caught up; undefined then. Otherwise returns the cursor to go on after: before a recent message, or behind a gap. */
  async #follow(after: string): Promise<string | undefined> {
    const { link, name, recent } = this.#live;
    const { signal } = this.#stopping;
    let last = after;
    try {
      await follow(after, {
        link,
        topic: name,
        signal,
        take: (message) => {
          last = message.id;
          return this.#take(message);
        },
        isDone: () => recent.continues(parseCursor(last) as Position),
        resumed: () => this.#tell({ recovered: true, after: last }),
      });
    } catch (error) {
      if (!isLost(error) || error.lost === undefined) throw error;
      const bounds = await boundsOf(link, name, signal);
      if (bounds === undefined) return undefined;
      this.#tell({ recovered: false, lost: error.lost, after: last });
      return startOf(bounds);
    }
    return signal.aborted ? undefined : last;
  }

  #take(message: TopicMessage): void | Promise<void> {
    const given = this.#reader.give(message);
    const position = parseCursor(message.id) as Position;
    if (given === undefined && this.#isBehind(position)) return undefined;
    return (async () => {
      await given;
      await this.#catchesUpAt(position);
    })();
  }

  /** Whether there are messages after this position that the live members have been given. */
  #isBehind({ epoch, offset }: Position): boolean {
    const { position } = this.#live;
    return position === undefined || position.epoch !== epoch || position.offset > offset;
  }

  /** Comes back to the live messages, if the member has been given the same ones. Returns whether it is done. */
  async #catchesUpAt(position: Position): Promise<boolean> {
    const { signal } = this.#stopping;
    // The member may have read a message before the live reader has: then it waits for that.
    while (!signal.aborted && !this.#isBehind(position)) {
      if (this.#live.position?.offset === position.offset) {
        this.stop();
        this.#reader.caughtUp();
        return true;
      }
      await new Promise<void>((resolve) => {
        const removeAbort = onAbort(signal, resolve);
        this.#live.whenAt(position.offset, () => {
          if (!signal.aborted && this.#live.position?.offset === position.offset && !this.#isBehind(position)) {
            this.stop();
            this.#reader.caughtUp();
          }
          removeAbort();
          resolve();
        });
      });
    }
    return signal.aborted;
  }

  #tell(outcome: Resumption): void {
    const { onResume } = this.#reader;
    if (onResume !== undefined && !this.#stopping.signal.aborted) throwLater(() => onResume(outcome));
  }
}
