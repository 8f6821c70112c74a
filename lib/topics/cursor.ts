import { WebSocketError } from '../errors';
import type { LostReason, TopicBounds } from './broker';

/** A position in a log: behind the message with this offset. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Returns the cursor `epoch:offset`. */
export function toCursor({ epoch, offset }: Position): string {
  return `${epoch}:${offset}`;
}

/** Returns the position of a cursor; undefined if it is none. Clients send cursors, so any string may be passed. */
export function parseCursor(cursor: string): Position | undefined {
  const colon = cursor.lastIndexOf(':');
  const digits = cursor.slice(colon + 1);
  if (colon < 1 || !/^\d{1,16}$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? { epoch: cursor.slice(0, colon), offset } : undefined;
}

/** Returns why a cursor cannot be continued without a gap; undefined if it can. */
export function findLoss(after: string, { epoch, first, last }: TopicBounds): LostReason | undefined {
  const position = parseCursor(after);
  // An offset that was not given out yet is of a log that has been restored from an older copy.
  if (position?.epoch !== epoch || position.offset > last) return 'epoch';
  return position.offset < first - 1 ? 'evicted' : undefined;
}

/** Returns the error for a cursor that cannot be continued. */
export function topicLost(topic: string, after: string, lost: LostReason): WebSocketError {
  const why = lost === 'evicted' ? 'messages after it were deleted' : 'the topic has a new log';
  return new WebSocketError('WS_ERR_TOPIC_LOST', `${JSON.stringify(topic)} after ${JSON.stringify(after)}: ${why}`, {
    lost,
  });
}
