import { closeCodes } from '../closeCodes';
import { toBytes } from '../codec/bytes';
import { checkClose } from '../codec/controlFrames';
import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import { invalidData } from '../framing/outgoingMessage';
import { checkIsObject, checkOptions, refuseUnknown } from '../options';
import { checkValues } from '../options/checkOptions';
import { type BinaryData, PreparedMessage } from '../webSocketHandler';
import type { BrokerDriver, HistoryLimits, LostReason, TopicMessage } from './broker';

/** The options of `Topics`. */
export interface TopicsOptions {
  /** Where the topics are. Default `memoryBroker()`: in this process. */
  broker?: BrokerDriver;
  /** How many messages of each topic are kept for members that resume or lag. */
  history?: HistoryLimits;
  /**
   * Milliseconds for which a message is published again and again while the broker is away, if it can recognize a message that it has
   * already; 0 to try once. It is also the time that the broker has to answer, but at least 10,000: after that, a message fails with
   * WS_ERR_BROKER_UNAVAILABLE, also if the driver never says so. Default 30,000.
   */
  publishTimeout?: number;
  /** Milliseconds after which those who are present in a process that is not heard of any more have left. Default 30,000. */
  presenceTimeout?: number;
  /** The bound of the first delay before a broker that is away is asked again, in milliseconds. Default 100. */
  initialDelay?: number;
  /** The bound of all later delays, in milliseconds. It doubles with each failure up to this value. Default 10,000. */
  maxDelay?: number;
}

/** What has become of a member that was to continue after a cursor. */
export type Resumption =
  /** It gets every message after the cursor. */
  | { readonly recovered: true; readonly lost?: undefined; readonly after: string }
  /**
   * It has lost messages, and goes on with the oldest that is kept. `'evicted'`: messages after the cursor were deleted. `'epoch'`: the
   * cursor is none of this log, for example because its broker has been restarted without its messages.
   */
  | { readonly recovered: false; readonly lost: LostReason; readonly after: string };

/** The options of a member of a topic. */
export interface MemberOptions {
  /**
   * The cursor after which the member reads: it gets the messages that are kept, and then the live ones. `'start'`: all messages that are
   * kept. Default, and with null: only those that are published from now on. Any string may be passed on from a client.
   */
  after?: string | null | undefined;
  /**
   * Returns what is sent for a message. Default: its data. Members with the same function share what it returns, so do not make a new
   * function for each member.
   */
  format?: (message: TopicMessage) => string | BinaryData;
  /**
   * Called when the member continues after a cursor: its `after`, or after the broker was away. It is called before the first message
   * that follows.
   */
  onResume?: (outcome: Resumption) => void;
  /** What the others see of the member in `presence`, as `JSON.stringify()` keeps it. Default: the member is not shown. */
  presence?: unknown;
}

/**
 * The policy for messages to a member that lags. A member lags when its `write()` has returned false, until all written messages have
 * been sent.
 */
export type TopicPolicy = 'catch-up' | 'drop-oldest' | 'keep-latest' | 'close';

/** The options of `topic.add()`. */
export interface AddOptions extends MemberOptions {
  /**
   * `'catch-up'`: up to `limit` messages wait for the member; at the next one it leaves the live messages, reads the history as fast as it
   * can, and comes back. `'drop-oldest'`: up to `limit` messages wait for the member, then the oldest is dropped. `'keep-latest'`: the
   * latest message of each `key` waits for the member. `'close'`: up to `limit` messages wait for the member; at the next one the member
   * is closed. Default `'catch-up'`.
   */
  policy?: TopicPolicy;
  /** The most messages that wait for a member, except with `'keep-latest'`. Default 16. */
  limit?: number;
  /** Returns the key of a message, for `'keep-latest'`. Default: all messages have the same key. */
  key?: (message: TopicMessage) => unknown;
  /** The close code for members that the policy `'close'` closes. Default 1013, try again later. */
  code?: number;
  /** The close reason for members that the policy `'close'` closes, at most 123 bytes of UTF-8. Default none. */
  reason?: string;
}

/** The options of `topics.join()`. */
export interface JoinOptions extends MemberOptions {}

const policies = ['catch-up', 'drop-oldest', 'keep-latest', 'close'];
const memberNames = ['after', 'format', 'onResume'] as const;

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkTopicsOptions(options: TopicsOptions): void {
  const names = ['broker', 'history', 'publishTimeout', 'presenceTimeout', 'initialDelay', 'maxDelay'] as const;
  checkOptions(options, ...names);
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkAddOptions(options: AddOptions): void {
  checkIsObject(options);
  const lagNames = ['limit', 'key', 'code', 'reason'] as const;
  refuseUnknown(options, ['policy', 'presence', ...lagNames, ...memberNames]);
  const { policy } = options;
  if (policy !== undefined && !policies.includes(policy)) throw invalidPolicy(policy);
  checkValues(options as Pick<AddOptions, (typeof lagNames | typeof memberNames)[number]>, [
    ...lagNames,
    ...memberNames,
  ]);
  checkClose(options.code ?? closeCodes.tryAgainLater, options.reason ?? '');
}

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function checkJoinOptions(options: JoinOptions): void {
  checkIsObject(options);
  refuseUnknown(options, ['presence', ...memberNames], '', {
    policy: 'a member that is a stream always catches up; add() takes a policy for a WebSocket',
  });
  checkValues(options, memberNames);
}

function invalidPolicy(policy: unknown): WebSocketError {
  const known = "option policy must be 'catch-up', 'drop-oldest', 'keep-latest' or 'close'";
  const detail =
    policy === 'wait'
      ? `${known}: 'wait' would let one member hold up all others in all processes; use 'catch-up' to lose nothing`
      : `${known}, not ${describeValue(policy)}`;
  return new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail);
}

const longestName = 200;

/**
 * Checks the name of a topic, which clients may have chosen.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function checkName(name: unknown): string {
  const isName =
    typeof name === 'string' &&
    name !== '' &&
    Buffer.byteLength(name) <= longestName &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: names with them are reserved for topics of the library
    !/[\u0000-\u001f\u007f\p{Surrogate}]/u.test(name);
  if (isName) return name;
  throw new WebSocketError(
    'WS_ERR_INVALID_ARGUMENT',
    `the name of a topic must be a string of 1 to ${longestName} bytes of UTF-8 without control characters, not ${describeValue(name)}`,
  );
}

/** The name of the topic in which the processes tell who is present in another topic. No program can choose it. */
export const presenceName = (name: string) => `\u001fpresence\u001f${name}`;

/**
 * Returns a written chunk as a broker keeps it.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 */
export function toData(chunk: unknown): string | Buffer {
  if (typeof chunk === 'string') return chunk;
  if (chunk instanceof PreparedMessage) {
    const { opcode, payload } = chunk.message;
    if (typeof payload === 'string') return opcode === 'text' ? payload : Buffer.from(payload);
    return opcode === 'text' ? asBuffer(payload).toString() : asBuffer(payload);
  }
  const bytes = toBytes(chunk);
  if (bytes === undefined) throw invalidData(chunk);
  return asBuffer(bytes);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
