import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from '../client/abortSignals';
import { WebSocketError } from '../errors';

/** What a broker, or the client of one, is asked: it settles after `timeout`, when the connection is lost, and when the broker is closed. */
export class Calls {
  readonly #timeout: number;
  readonly #toError: (error: unknown) => Error;
  readonly #failures = new Set<(error: Error) => void>();
  #closed = false;

  /**
   * @param timeout the milliseconds after which a call fails
   * @param toError makes the public error of an error of what is asked
   */
  constructor(timeout: number, toError: (error: unknown) => Error) {
    this.#timeout = timeout;
    this.#toError = toError;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws WebSocketError WS_ERR_NOT_OPEN after `close()` */
  checkOpen(): void {
    if (this.#closed) throw new WebSocketError('WS_ERR_NOT_OPEN', 'the broker was closed');
  }

  /**
   * Settles like the promise of `call`, which is not awaited any more when this rejects.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE after the timeout or `interrupt()`, WS_ERR_ABORTED, WS_ERR_NOT_OPEN, or what `toError`
   * makes of the client's error
   */
  run<T>(call: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    this.checkOpen();
    if (signal?.aborted) return Promise.reject(aborted(signal));
    return new Promise<T>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        removeAbort?.();
        this.#failures.delete(fail);
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      const timer = setTimeout(() => fail(unavailable(`no answer within ${this.#timeout} ms`)), this.#timeout);
      const removeAbort = signal && onAbort(signal, () => fail(aborted(signal)));
      this.#failures.add(fail);
      const failed = (error: unknown) => fail(this.#toError(error));
      try {
        call().then((value) => {
          settle();
          resolve(value);
        }, failed);
      } catch (error) {
        failed(error);
      }
    });
  }

  /** Fails all that is under way. */
  interrupt(error: WebSocketError): void {
    for (const fail of [...this.#failures]) fail(error);
  }

  /** Fails all that is under way and all to come with WS_ERR_NOT_OPEN. */
  close(): void {
    this.#closed = true;
    this.interrupt(new WebSocketError('WS_ERR_NOT_OPEN', 'the broker was closed'));
  }
}

/**
 * Settles like the promise of `call`, which others may wait for as well, unless the signal aborts before.
 * @throws WebSocketError WS_ERR_ABORTED
 */
export function unlessAborted<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const removeAbort = onAbort(signal, () => reject(aborted(signal)));
    call().finally(removeAbort).then(resolve, reject);
  });
}

export function unavailable(detail: string, cause?: unknown): WebSocketError {
  return new WebSocketError('WS_ERR_BROKER_UNAVAILABLE', detail, cause === undefined ? {} : { cause });
}

export function refused(detail: string, cause?: unknown): WebSocketError {
  return new WebSocketError('WS_ERR_BROKER_REFUSED', detail, cause === undefined ? {} : { cause });
}

function aborted(signal: AbortSignal): WebSocketError {
  return new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal.reason });
}
