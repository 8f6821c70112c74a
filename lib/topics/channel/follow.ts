import { WebSocketError } from '../../errors';
import type { TopicBounds, TopicMessage } from '../broker';
import { findLoss, toCursor, topicLost } from '../cursor';
import { isLost, type Link } from './link';

export interface Following {
  readonly link: Link;
  readonly topic: string;
  readonly signal: AbortSignal;
  /** Takes one message. The next one is read when the promise has resolved. It must not throw. */
  take(message: TopicMessage): void | Promise<void>;
  /** Asked after each message: whether no more are needed. */
  isDone?(): boolean;
  /** Called when the broker has failed. */
  interrupted?(): void;
  /** Called when reading goes on without a gap after the broker was away. */
  resumed?(): void;
}

/**
 * Reads the messages after a cursor until the signal aborts, or no more are needed. While the broker is away, it tries again and again, and goes on after the
 * last message.
 * @throws WebSocketError WS_ERR_TOPIC_LOST if there is a gap
 */
export async function follow(after: string, following: Following): Promise<void> {
  const { link, signal, interrupted } = following;
  const who = {};
  let cursor = after;
  for (let failures = 0; !signal.aborted && !following.isDone?.(); ) {
    try {
      if (failures > 0) {
        await checkAgain(cursor, following);
        link.worked(who);
        following.resumed?.();
      }
      await read(cursor, following, (id) => {
        cursor = id;
        failures = 0;
        link.worked(who);
      });
    } catch (error) {
      if (signal.aborted) break;
      if (isLost(error)) {
        link.left(who);
        throw error;
      }
      link.failed(who, error as Error);
      interrupted?.();
      await link.pause(++failures, signal);
    }
  }
  link.left(who);
}

/** After a failure, only an answer shows that the broker is there again: it may be long before there is a message. */
async function checkAgain(cursor: string, { link, topic }: Following): Promise<void> {
  const lost = findLoss(cursor, await link.bounds(topic));
  if (lost !== undefined) throw topicLost(topic, cursor, lost);
}

async function read(cursor: string, following: Following, taken: (id: string) => void): Promise<void> {
  const { link, topic, signal, take } = following;
  for await (const message of link.broker.read(topic, cursor, signal)) {
    if (signal.aborted) return;
    taken(message.id);
    const ready = take(message);
    if (ready !== undefined) await ready;
    if (signal.aborted || following.isDone?.()) return;
  }
  if (!signal.aborted) throw new WebSocketError('WS_ERR_BROKER_UNAVAILABLE', 'it has ended a read');
}

/**
 * Resolves with the bounds of a topic, however often it must be tried; undefined when the signal has aborted.
 * @param failed called for each failure
 */
export async function boundsOf(
  link: Link,
  topic: string,
  signal: AbortSignal,
  failed?: () => void,
): Promise<TopicBounds | undefined> {
  const who = {};
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      const bounds = await link.bounds(topic);
      link.worked(who);
      return signal.aborted ? undefined : bounds;
    } catch (error) {
      if (signal.aborted) break;
      link.failed(who, error as Error);
      failed?.();
      await link.pause(failures, signal);
    }
  }
  link.left(who);
  return undefined;
}

/** The cursor before the oldest message that is kept. */
export const startOf = ({ epoch, first }: TopicBounds) => toCursor({ epoch, offset: first - 1 });

/** The cursor behind the newest message. */
export const endOf = ({ epoch, last }: TopicBounds) => toCursor({ epoch, offset: last });
