import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { closeCodes } from '../closeCodes';
import type { CloseOutcome } from '../connection/closeHandshake';
import type { CloseFrame, Role } from '../contracts';
import { WebSocketError } from '../errors';

const neverOpened: CloseOutcome = { code: closeCodes.abnormal, reason: '', wasClean: false };

/** The Close that a WebSocket sends if its program asks for no other. */
export const normalClose: Pick<CloseFrame, 'code' | 'reason'> = { code: closeCodes.normal, reason: '' };

/** How a WebSocket ends: the Close that it sends, the outcome, who waits for it, and the error to report after both sides have ended. */
export class Closing {
  /** What our Close says. */
  close = normalClose;
  /** The transport is to be dropped without a Close. */
  aborted = false;
  /** Why the program could not say everything it wanted to: reported after both sides have ended. */
  errorToReport: Error | undefined;
  /** Completes the destruction of the stream when the connection has ended. */
  whenEnded: (() => void) | undefined;
  #outcome: CloseOutcome | undefined;
  #waiting: ((outcome: CloseOutcome) => void)[] | undefined;

  get outcome(): CloseOutcome | undefined {
    return this.#outcome;
  }

  /** The connection has ended, or never was. Counts once. */
  settle(outcome: CloseOutcome = neverOpened): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const resolve of waiting) resolve(outcome);
  }

  /** The program accepts the request after all, although the client had left: the connection will have an outcome of its own. */
  reopen(): void {
    this.#outcome = undefined;
  }

  /**
   * The error of a stream that is destroyed without one, after both of its sides have ended: what could not be said. A program that destroys
   * the stream half-way has no use for more errors.
   */
  failureAtTheEnd(
    stream: Pick<Duplex, 'readableEnded' | 'listeners' | 'on'>,
    connection: { readonly wasCutOff: boolean } | undefined,
  ): Error | null {
    if (!stream.readableEnded) return null;
    if (this.errorToReport === undefined && connection?.wasCutOff === true) {
      tolerateErrors(stream);
      this.errorToReport = new WebSocketError('WS_ERR_CONNECTION_LOST', 'before everything was sent');
    }
    return this.errorToReport ?? null;
  }

  /** Never rejects. */
  whenClosed(): Promise<CloseOutcome> {
    if (this.#outcome !== undefined) return Promise.resolve(this.#outcome);
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }
}

/**
 * The code that tells the peer that the WebSocket was destroyed. A client that has sent everything leaves as a browser does (1001); in every
 * other case the peer must not take what it has for complete.
 */
export function destructionCode(role: Role, error: Error | null, hasSentAll: boolean): number {
  return error === null && hasSentAll && role === 'client' ? closeCodes.goingAway : closeCodes.internalError;
}

/** From now on an 'error' that nobody listens for does not end the process: it is not the program's mistake. */
export function tolerateErrors(stream: Pick<EventEmitter, 'listeners' | 'on'>): void {
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
}

function ignore(): void {}
