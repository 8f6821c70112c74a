import { closeCodes } from '../closeCodes';
import type { CloseOutcome } from '../connection/closeHandshake';
import type { Message } from '../contracts';
import type { Delivered } from './incomingMessages';
import { SendingDuplex } from './sendingDuplex';

type CloseListener = (outcome: CloseOutcome, duplex: ClosableDuplex<Delivered>) => void;

const nobody: readonly never[] = [];

const neverOpened: CloseOutcome = { code: closeCodes.abnormal, reason: '', wasClean: false };

/** A Duplex of messages that tells how its connection ended. */
export abstract class ClosableDuplex<M extends Delivered = Message> extends SendingDuplex<M> {
  #outcome: CloseOutcome | undefined;
  /** Those who wait for it. The promise is made only when it is asked for; mostly it is not. */
  #waiting: readonly CloseListener[] = nobody;

  /**
   * A promise of a `CloseOutcome`, once the transport is gone. It never rejects: 'error' tells of failures. Every Duplex has a
   * boolean of this name; only `any` lets a WebSocket be passed wherever a Duplex is asked for, and `closed` be awaited.
   */
  // biome-ignore lint/suspicious/noExplicitAny: see above
  declare readonly closed: any;

  static {
    Object.defineProperty(ClosableDuplex.prototype, 'closed', {
      get(this: ClosableDuplex): Promise<CloseOutcome> | boolean {
        return askedByPipeline() ? this.destroyed : this.#promise();
      },
    });
  }

  /** As `closed`, without a promise: for those who watch many connections, with one function for all of them. */
  static whenClosed<D extends ClosableDuplex<Delivered>>(
    duplex: D,
    listener: (outcome: CloseOutcome, duplex: D) => void,
  ): void {
    ClosableDuplex.#watch(duplex, listener as CloseListener);
  }

  static #watch(duplex: ClosableDuplex<Delivered>, listener: CloseListener): void {
    if (duplex.#outcome !== undefined) listener(duplex.#outcome, duplex);
    else if (duplex.#waiting === nobody) duplex.#waiting = onlyListener(listener);
    else duplex.#whenSettled(listener);
  }

  /** The code of the peer's Close frame: 1005 if it had none, 1006 if the connection ended without one, undefined before. */
  get closeCode(): number | undefined {
    return this.#latestOutcome?.code;
  }

  get closeReason(): string {
    return this.#latestOutcome?.reason ?? '';
  }

  /** Whether both sides sent a Close frame. */
  get wasClean(): boolean {
    return this.#latestOutcome?.wasClean ?? false;
  }

  /** What is known of the outcome before it is settled. */
  protected abstract get outcomeSoFar(): CloseOutcome | undefined;

  /** The connection has ended, or never was. Counts once. */
  protected settle(outcome: CloseOutcome = neverOpened): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    const waiting = this.#waiting;
    this.#waiting = nobody;
    for (const settled of waiting) settled(outcome, this);
  }

  #whenSettled(listener: CloseListener): void {
    // An array that grows by push(), or by a spread, has room for seventeen.
    this.#waiting = this.#waiting.concat(listener);
  }

  get #latestOutcome(): CloseOutcome | undefined {
    return this.#outcome ?? this.outcomeSoFar;
  }

  #promise(): Promise<CloseOutcome> {
    const outcome = this.#outcome;
    if (outcome !== undefined) return Promise.resolve(outcome);
    return new Promise((resolve) => this.#whenSettled(resolve));
  }
}

const onlyListeners = new WeakMap<CloseListener, readonly CloseListener[]>();

/** A list of this one, for all connections that only this one watches. */
function onlyListener(listener: CloseListener): readonly CloseListener[] {
  const known = onlyListeners.get(listener);
  if (known !== undefined) return known;
  const list = [listener];
  onlyListeners.set(listener, list);
  return list;
}

/**
 * Since Node 24 `pipeline()` asks a stream that it writes to whether it is `closed`, and takes any object for yes. There is no
 * promise that is false, so the one caller that wants Node's boolean is told apart by its file.
 */
function askedByPipeline(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = 3;
  Error.prepareStackTrace = (_error, [, , caller]) => caller?.getFileName();
  const caller: unknown = new Error().stack;
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return caller === 'node:internal/streams/pipeline';
}
