import { onAbort } from '../../client/abortSignals';
import type { WebSocketError } from '../../errors';
import type { TopicMessage } from '../broker';
import { type Position, parseCursor, toCursor, topicLost } from '../cursor';
import { Follower, type TopicLog } from './follower';
import { LiveMessages } from './liveMessages';

/** All that is being read from a broker. */
export class Readers {
  readonly #readers = new Set<LiveMessages>();
  #closed = false;

  /** How many readers there are. */
  get size(): number {
    return this.#readers.size;
  }

  /**
   * Gives the messages of a topic after a cursor, as `Broker.read()` does.
   * @param toLog makes the log, in which the epoch of the cursor must be checked
   */
  async *read(
    topic: string,
    after: string,
    signal: AbortSignal,
    toLog: (position: Position) => TopicLog,
  ): AsyncGenerator<TopicMessage> {
    if (this.#closed || signal.aborted) return;
    const position = parseCursor(after);
    if (position === undefined) throw topicLost(topic, after, 'epoch');
    const { epoch } = position;
    const live = new LiveMessages();
    const follower = new Follower(toLog(position), position.offset, live);
    const removeAbort = onAbort(signal, () => live.end());
    this.#readers.add(live);
    try {
      while (!live.ended) {
        for (const { offset, data } of await follower.next()) {
          if (live.ended) break;
          if (data === undefined) continue;
          yield { id: toCursor({ epoch, offset }), data, binary: typeof data !== 'string' };
        }
      }
    } catch (error) {
      // A call that was under way when the reader ended has failed for that reason.
      if (!live.ended) throw error;
    } finally {
      live.end();
      removeAbort();
      this.#readers.delete(live);
    }
    live.check();
  }

  /** Lets readers for which nothing has come for a while look whether they have missed something. */
  review(): void {
    for (const live of this.#readers) live.review();
  }

  /** Ends all readers with an error. */
  interrupt(error: WebSocketError): void {
    for (const live of this.#readers) live.fail(error);
  }

  /** Ends all readers. */
  close(): void {
    this.#closed = true;
    for (const live of this.#readers) live.end();
  }
}
