import { clearTimeout, setTimeout } from 'node:timers';
import { WebSocketError } from '../errors';
import { defaults } from '../options';
import { onAbort } from './abortSignals';

/**
 * Returns the milliseconds to wait after a number of failures: a random number below a bound that doubles with each
 * failure ("full jitter"), so that the clients of a server that has failed do not all reconnect at once.
 */
export function backoff(
  failures: number,
  initialDelay: number = defaults.initialDelay,
  maxDelay: number = defaults.maxDelay,
): number {
  return Math.random() * Math.min(maxDelay, initialDelay * 2 ** (failures - 1));
}

/**
 * Resolves after the time has passed.
 * @throws WebSocketError WS_ERR_ABORTED
 */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal?.reason }));
    };
    const timer = setTimeout(() => {
      forget?.();
      resolve();
    }, milliseconds);
    const forget = signal && onAbort(signal, abort);
    if (signal?.aborted) abort();
  });
}
