import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { closeCodes } from '../closeCodes';
import type { CloseOutcome } from '../connection/closeHandshake';
import type { CloseFrame, Role } from '../contracts';
import { WebSocketError } from '../errors';
import { ownListener } from '../nodeStreams/duplexOverrides';

const neverOpened: CloseOutcome = { code: closeCodes.abnormal, reason: '', wasClean: false };

/** The Close frame that a WebSocket sends if its program asks for no other. */
export const normalClose: Pick<CloseFrame, 'code' | 'reason'> = { code: closeCodes.normal, reason: '' };

/** Something that a WebSocket can be a member of, such as a BroadcastStream. */
export interface Group {
  delete(webSocket: never): boolean;
}

/**
 * The state of the end of a WebSocket: the Close frame to send, the outcome, the promises that wait for it, and the
 * error to report after both sides have ended.
 */
export class Closing {
  /** The code and reason of our Close frame. */
  close = normalClose;
  /** Whether `abort()` was called: no Close frame is sent. */
  aborted = false;
  /** Why not everything that was written could be sent. Reported after both sides have ended. */
  errorToReport: WebSocketError | undefined;
  /** Completes the destruction of the stream. Called when the connection has ended. */
  whenEnded: (() => void) | undefined;
  #groups: Set<Group> | undefined;
  #outcome: CloseOutcome | undefined;
  #waiting: ((outcome: CloseOutcome) => void)[] | undefined;

  get outcome(): CloseOutcome | undefined {
    return this.#outcome;
  }

  /** The groups to leave when the stream is destroyed. */
  get groups(): Set<Group> {
    this.#groups ??= new Set();
    return this.#groups;
  }

  leaveGroups(webSocket: Duplex): void {
    for (const group of this.#groups ?? []) group.delete(webSocket as never);
  }

  /** Sets the outcome when the connection has ended, or will never be opened. Later calls do nothing. */
  settle(outcome: CloseOutcome = neverOpened): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const resolve of waiting) resolve(outcome);
  }

  /**
   * Removes the outcome. The client had left before `connect()`, but the program calls `connect()` all the same, and
   * the connection will have its own outcome.
   */
  reopen(): void {
    this.#outcome = undefined;
  }

  /**
   * Returns the error for a stream that is destroyed without an error: why not everything could be sent. Returns null
   * if the readable side has not ended, because then the program has destroyed the stream itself.
   */
  failureAtTheEnd(
    stream: Pick<Duplex, 'readableEnded' | 'listeners' | 'on'>,
    connection: { readonly wasCutOff: boolean } | undefined,
  ): Error | null {
    if (!stream.readableEnded) return null;
    if (connection?.wasCutOff === true) this.messagesLost();
    if (this.errorToReport === undefined) return null;
    tolerateErrors(stream);
    return this.errorToReport;
  }

  /**
   * Sets the error to report after both sides have ended, unless there is one: the byte stream has closed before all
   * messages were sent. Returns the error.
   */
  messagesLost(): WebSocketError {
    this.errorToReport ??= new WebSocketError('WS_ERR_CONNECTION_LOST', 'before everything was sent');
    return this.errorToReport;
  }

  /**
   * Reports at the end, and returns, that the writable side was ended for the program before it had done this.
   * @param isAnswered whether the peer got our Close frame. False if the byte stream accepts no more bytes
   */
  endedBefore(what: string, isAnswered: boolean, stream: Pick<Duplex, 'listeners' | 'on'>): WebSocketError {
    const error = isAnswered
      ? new WebSocketError('WS_ERR_CLOSE_TIMEOUT', `the peer was answered before ${what}`)
      : new WebSocketError('WS_ERR_CONNECTION_LOST', `before ${what}`);
    this.errorToReport ??= error;
    tolerateErrors(stream);
    return error;
  }

  /** Resolves with the outcome when there is one. Never rejects. */
  whenClosed(): Promise<CloseOutcome> {
    if (this.#outcome !== undefined) return Promise.resolve(this.#outcome);
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }
}

/**
 * Returns the close code for a WebSocket that is destroyed: 1013 if the server needs its memory for others. A client
 * that has sent everything closes with 1001, as a browser does; in every other case the code is 1011, because the peer
 * must not take the messages for complete.
 */
export function destructionCode(role: Role, error: Error | null, hasSentAll: boolean): number {
  if (error instanceof WebSocketError && error.code === 'WS_ERR_MEMORY_BUDGET') return closeCodes.tryAgainLater;
  return error === null && hasSentAll && role === 'client' ? closeCodes.goingAway : closeCodes.internalError;
}

/**
 * Adds an 'error' listener that does nothing, so that an error that is not the program's mistake does not end the
 * process.
 */
export function tolerateErrors(stream: Pick<EventEmitter, 'listeners' | 'on'>): void {
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
}

const ignore = ownListener(() => {});

/**
 * Lets the errors that are ignored on a stream be ignored on a stream that Node has made of it, which fails with the
 * same errors, and lets the program destroy the stream, which makes the other one fail with `ERR_STREAM_PREMATURE_CLOSE`.
 * Other errors, such as an exception in the function of `map()`, are thrown as without this listener.
 */
export function tolerateSameErrors(
  stream: Pick<Duplex, 'destroyed' | 'errored' | 'listeners'>,
  derived: Pick<EventEmitter, 'listenerCount' | 'on'>,
): void {
  derived.on(
    'error',
    ownListener((error: NodeJS.ErrnoException) => {
      const isSame = error === stream.errored && stream.listeners('error').includes(ignore);
      const wasDestroyed = stream.destroyed && stream.errored == null && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
      if (!isSame && !wasDestroyed && derived.listenerCount('error') === 1) throw error;
    }),
  );
}

/** Returns the error for the callback of `end()`. */
export function endingError(error: Error | null | undefined): Error | null | undefined {
  if (error == null || error instanceof WebSocketError) return error;
  return new WebSocketError('WS_ERR_NOT_OPEN', error.message, { cause: error });
}
